// The post-read control (RFC 4527): the server tells with its success what became of the entry, and so what time it was.
import { BER, constructed, encodeFrame, text } from '../../../ldap-wire/ber-write.ts'
import { decodeEntryBytes, type LdapEntry, type LdapResult } from '../../../ldap-wire/decode-response.ts'
import type { RequestControl } from '../../../ldap-wire/encode-request.ts'
import { momentOfGeneralizedTime } from '../generalized-time.ts'

/** RFC 4527 §3.2. */
export const POST_READ_CONTROL = '1.3.6.1.1.13.2'

/** Asks for the time of the write, that of the password, and whether a change is asked for at the next sign-in. */
export const postReadRequest: RequestControl = {
  oid: POST_READ_CONTROL,
  critical: false,
  value: encodeFrame(
    constructed(
      BER.sequence,
      ['entryCSN', 'pwdChangedTime', 'pwdReset'].map((name) => text(BER.octetString, name)),
    ),
  ),
}

/** The entry right after the write. */
export interface WrittenEntry {
  /** The server's clock at the write, milliseconds since 1970; undefined: it did not say. */
  readonly writtenAtMs: number | undefined
  /** The time of its password; undefined: it did not say. */
  readonly changedAtMs: number | undefined
  readonly mustChange: boolean
}

/** What a success tells. Never throws: what cannot be read tells nothing, and the success stands. */
export function writtenEntryOf({ controls }: Pick<LdapResult, 'controls'>): WrittenEntry {
  const value = controls.find(({ oid }) => oid === POST_READ_CONTROL)?.value
  const attributes = value && attributesOf(value)
  const textOf = (name: string) => attributes?.get(name)?.[0]?.toString('utf8')
  return {
    writtenAtMs: momentOfCsn(textOf('entrycsn')),
    changedAtMs: momentOfGeneralizedTime(textOf('pwdchangedtime') ?? ''),
    mustChange: textOf('pwdreset') === 'TRUE',
  }
}

function attributesOf(value: Buffer): LdapEntry['attributes'] | undefined {
  try {
    return decodeEntryBytes(value).attributes
  } catch {
    return undefined
  }
}

/** `20261122065734.318083Z#000000#000#000000`: the first part is the server's clock. */
function momentOfCsn(csn: string | undefined): number | undefined {
  const [, seconds, fraction = ''] = /^(\d{14})\.?(\d{0,6})Z#/.exec(csn ?? '') ?? []
  const wholeMs = seconds === undefined ? undefined : momentOfGeneralizedTime(`${seconds}Z`)
  return wholeMs === undefined ? undefined : wholeMs + Math.floor(Number(`0.${fraction || 0}`) * 1_000)
}
