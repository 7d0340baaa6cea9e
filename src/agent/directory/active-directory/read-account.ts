// The ONE read of an account: everything a decision needs, in one search by its immutable anchor.
import type { Entry } from 'ldapts'
import { WritebackError } from '../../../errors/writeback-error.ts'
import type { Account } from '../../decisions/account.ts'
import { bytesOf, textOf, textsOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { largeInteger, momentOfFileTime } from './file-time.ts'
import { guidText } from './guid.ts'
import { dnOfGuid } from './password-modify.ts'
import { passwordVersionOf } from './replication-metadata.ts'
import { sidText } from './sid.ts'

// userAccountControl bits (MS-ADTS §2.2.16). The lockout bit is only ever true in the computed attribute.
const ACCOUNT_DISABLED = 0x2
const LOCKED_OUT = 0x10
const PASSWORD_NEVER_EXPIRES = 0x10000
const SMARTCARD_REQUIRED = 0x40000

const COMPUTED = 'msDS-User-Account-Control-Computed'
const BINARY = ['objectGUID', 'objectSid', 'replPropertyMetaData']
/** What the read asks for, beside the marker attribute. */
export const ACCOUNT_ATTRIBUTES: readonly string[] = [
  ...BINARY,
  COMPUTED,
  'sAMAccountName',
  'objectClass',
  'adminCount',
  'isCriticalSystemObject',
  'userAccountControl',
  'accountExpires',
  'pwdLastSet',
]

/**
 * Reads the account with this objectGUID; `undefined` when there is none. Throws ERR_DIRECTORY_UNSUITABLE when the
 * entry cannot be read as an account or its marker attribute has several values, and what a read throws.
 */
export async function readAccount(
  client: ReadClient,
  anchor: string,
  markerAttribute: string,
): Promise<Account | undefined> {
  const [entry] = await client.search(dnOfGuid(anchor), {
    scope: 'base',
    attributes: [...ACCOUNT_ATTRIBUTES, markerAttribute],
    explicitBufferAttributes: BINARY,
  })
  return entry === undefined ? undefined : accountOf(entry, markerAttribute)
}

function accountOf(entry: Entry, markerAttribute: string): Account {
  const anchor = guidText(bytesOf(entry, 'objectGUID') ?? Buffer.alloc(0))
  const control = textOf(entry, 'userAccountControl')
  const markers = textsOf(entry, markerAttribute)
  if (anchor === undefined) throw unsuitable(entry.dn, 'its objectGUID cannot be read')
  if (markers.length > 1) throw unsuitable(entry.dn, `${markerAttribute} has several values`)
  const flags = Number(control ?? 0)
  const sid = bytesOf(entry, 'objectSid')
  return {
    anchor,
    dn: entry.dn,
    name: textOf(entry, 'sAMAccountName') ?? '',
    objectClasses: textsOf(entry, 'objectClass').map((name) => name.toLowerCase()),
    sid: sid === undefined ? undefined : sidText(sid),
    adminCount: Number(textOf(entry, 'adminCount') ?? 0) !== 0,
    criticalSystemObject: textOf(entry, 'isCriticalSystemObject') === 'TRUE',
    disabled: (flags & ACCOUNT_DISABLED) !== 0,
    locked: (Number(textOf(entry, COMPUTED) ?? 0) & LOCKED_OUT) !== 0,
    smartcardRequired: (flags & SMARTCARD_REQUIRED) !== 0,
    passwordNeverExpires: (flags & PASSWORD_NEVER_EXPIRES) !== 0,
    mustChange: largeInteger(textOf(entry, 'pwdLastSet')) === 0n,
    expiresAtMs: momentOfFileTime(largeInteger(textOf(entry, 'accountExpires')) ?? 0n),
    passwordVersion: passwordVersionOf(bytesOf(entry, 'replPropertyMetaData')),
    marker: markers[0],
  }
}

function unsuitable(dn: string, why: string): WritebackError {
  return new WritebackError('ERR_DIRECTORY_UNSUITABLE', `${dn} is no readable account: ${why}`)
}
