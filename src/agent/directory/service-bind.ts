// Binds the service account on a channel, and says in words why a directory refused it.
import { WritebackError } from '../../errors/writeback-error.ts'
import type { LdapResult } from '../../ldap-wire/decode-response.ts'
import { encodeBind, type RequestControl } from '../../ldap-wire/encode-request.ts'
import { printable } from './classify-error.ts'
import type { LdapChannel } from './ldap-channel.ts'

/** Who binds. The password is wiped by whoever read it. */
export interface ServiceCredentials {
  readonly name: string
  readonly password: Buffer
}

/** What a kind of directory is asked beside a bind, and says beside a refusal. */
export interface BindDialect {
  /** Sent with the bind. */
  readonly controls: readonly RequestControl[]
  /** Why it was refused, where that is said. Must not throw. */
  readonly refusalOf: (result: LdapResult) => BindRefusal | undefined
}

/** Why a bind was refused. */
export interface BindRefusal {
  readonly reason: string
  /** False: the directory counted no wrong password for it. */
  readonly isCounted: boolean
}

// The `data` field of Active Directory's answer to a bind is a Win32 code in hex (MS-ERREF §2.2).
const SUB_CODES: Readonly<Record<string, string>> = {
  '52e': 'wrong name or password',
  '525': 'no such account',
  '530': 'not allowed at this time',
  '531': 'not allowed from this computer',
  '532': 'its password expired',
  '533': 'the account is disabled',
  '701': 'the account expired',
  '773': 'its password must be changed first',
  '775': 'the account is locked',
}

const INVALID_CREDENTIALS = 49

const WRONG_PASSWORD = '52e'

// The other known codes are said only of the right password, or of an account that counts none.
const isCounted = (subCode = ''): boolean => subCode === WRONG_PASSWORD || !Object.hasOwn(SUB_CODES, subCode)

/** A refused bind. Code ERR_DIRECTORY_BIND_REFUSED, to be tried again later. */
export class BindRefused extends WritebackError {
  /** False: the directory counted no wrong password for it. */
  readonly isCounted: boolean

  constructor(name: string, reason: string, isCounted: boolean) {
    super('ERR_DIRECTORY_BIND_REFUSED', `the directory refused ${name}: ${reason}`, { retry: 'later' })
    this.isCounted = isCounted
  }
}

/**
 * Binds (RFC 4511 §4.2, simple), and gives the answer. Throws ERR_DIRECTORY_BIND_REFUSED (later) with the directory's sub-code,
 * ERR_DIRECTORY_BUSY (later) for any other answer, or the
 * connection's own failure. An empty name or password is refused before anything is sent: a directory would take
 * it for an anonymous bind and answer success (RFC 4513 §5.1.2).
 */
export async function bindService(
  channel: LdapChannel,
  credentials: ServiceCredentials,
  timeoutMs: number,
  dialect?: BindDialect,
): Promise<LdapResult> {
  const { name, password } = credentials
  if (name === '' || password.length === 0)
    throw new BindRefused(name, 'its name or password is empty', false)
  const messageId = channel.nextMessageId()
  const frame = encodeBind({ messageId, name, password, controls: dialect?.controls ?? [] })
  const exchange = await channel.exchange({ frame, messageId, expects: 'bind', timeoutMs })
  if (exchange.kind !== 'answered') throw exchange.cause
  const { code, diagnostic } = exchange.result
  if (code === 0) return exchange.result
  if (code === INVALID_CREDENTIALS) {
    const told = dialect?.refusalOf(exchange.result)
    if (told !== undefined) throw new BindRefused(name, `${told.reason} (${code})`, told.isCounted)
    throw new BindRefused(name, reasonOf(code, diagnostic), isCounted(subCodeOf(diagnostic)))
  }
  // Said before the password was looked at: it counts for nothing, and another controller may take it.
  const what = `the directory does not take a bind now: ${reasonOf(code, diagnostic)}`
  throw new WritebackError('ERR_DIRECTORY_BUSY', what, { retry: 'later' })
}

const subCodeOf = (diagnostic: string): string | undefined =>
  /\bdata ([0-9a-f]{1,8})\b/i.exec(diagnostic)?.[1]?.toLowerCase()

function reasonOf(code: number, diagnostic: string): string {
  const subCode = subCodeOf(diagnostic)
  if (code === INVALID_CREDENTIALS && subCode !== undefined) {
    return `${SUB_CODES[subCode] ?? 'no known reason'} (49, data ${subCode})`
  }
  return `${printable(diagnostic) || 'no reason given'} (${code})`
}
