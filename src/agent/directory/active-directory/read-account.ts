// The ONE read of an account: everything a decision needs, in one search by its immutable anchor.
import type { Entry } from 'ldapts'
import { WritebackError } from '../../../errors/writeback-error.ts'
import type { Operation } from '../../../protocol/identifiers.ts'
import type { Account } from '../../decisions/account.ts'
import { parentOf } from '../../decisions/distinguished-name.ts'
import { daclControl } from '../descriptor-control.ts'
import { buffersOf, bytesOf, textOf, textsOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { isChangeDenied } from './change-right.ts'
import { largeInteger, momentOfFileTime } from './file-time.ts'
import { guidText } from './guid.ts'
import { dnOfGuid } from './password-modify.ts'
import { originOf, passwordVersionOf } from './replication-metadata.ts'
import { sidText } from './sid.ts'

// userAccountControl bits (MS-ADTS §2.2.16). The lockout bit is only ever true in the computed attribute.
const ACCOUNT_DISABLED = 0x2
const LOCKED_OUT = 0x10
const PASSWORD_NOT_REQUIRED = 0x20
const PASSWORD_NEVER_EXPIRES = 0x10000
const SMARTCARD_REQUIRED = 0x40000
const NORMAL_ACCOUNT = 0x200
// Interdomain trust, workstation, server, partial secrets (a read-only domain controller).
const MACHINE_OR_TRUST = 0x800 | 0x1000 | 0x2000 | 0x4000000

const COMPUTED = 'msDS-User-Account-Control-Computed'
const EXPIRY = 'msDS-UserPasswordExpiryTimeComputed'
const DESCRIPTOR = 'nTSecurityDescriptor'
/** The attributes that whoever is bound may write, rights of whole property sets included (MS-ADTS §3.1.1.4.5.22). */
const WRITABLE = 'allowedAttributesEffective'
const LOCKED_AT = 'lockoutTime'
const BINARY = ['objectGUID', 'objectSid', 'replPropertyMetaData', 'tokenGroups', 'sIDHistory']
const POLICY = 'msDS-ResultantPSO'
const EVERY_TIME: readonly string[] = [
  ...BINARY,
  COMPUTED,
  'sAMAccountName',
  'displayName',
  'objectClass',
  'adminCount',
  'isCriticalSystemObject',
  'userAccountControl',
  'accountExpires',
  'pwdLastSet',
  'badPwdCount',
  'badPasswordTime',
  'msDS-SecondaryKrbTgtNumber',
]
// The domain controller computes each of these anew for every read, and the descriptor is large.
const BY_OPERATION: Readonly<Record<Operation, readonly string[]>> = {
  reset: [POLICY],
  change: [POLICY, DESCRIPTOR],
  unlock: [LOCKED_AT],
  inspect: [POLICY, DESCRIPTOR, EXPIRY],
}

/** What the read asks for, beside the marker attribute and the anchor. */
export const attributesFor = (operation: Operation): readonly string[] => [
  ...EVERY_TIME,
  ...BY_OPERATION[operation],
]

/** What a read depends on beside the account. */
export interface AccountForm {
  readonly markerAttribute: string
  /** By which the replication metadata knows it. */
  readonly markerId?: number | undefined
  /** An attribute with a GUID that is read as well. */
  readonly anchorAttribute?: string | undefined
  /** Given: the read tells whether the marker may be written, with the grant for accounts under a DN. */
  readonly grantFor?: ((parentDn: string) => string) | undefined
}

/** An account, with the GUID in its anchor attribute, dashed; undefined: none, or not asked for. */
export interface AnchoredAccount {
  readonly account: Account
  readonly anchor: string | undefined
}

/**
 * Reads the account with this objectGUID; `undefined` when there is none. Throws ERR_DIRECTORY_UNSUITABLE when the
 * entry cannot be read as an account or its marker attribute has several values, and what a read throws.
 */
export async function readAccount(
  client: ReadClient,
  objectGuid: string,
  operation: Operation,
  form: AccountForm,
): Promise<AnchoredAccount | undefined> {
  const { markerAttribute, anchorAttribute, grantFor } = form
  const asked = attributesFor(operation)
  const extra = anchorAttribute === undefined ? [] : [anchorAttribute]
  const rights = grantFor === undefined ? [] : [WRITABLE]
  const [entry] = await client.search(
    dnOfGuid(objectGuid),
    {
      scope: 'base',
      attributes: [...asked, ...rights, markerAttribute, ...extra],
      explicitBufferAttributes: [...BINARY, DESCRIPTOR, ...extra],
    },
    asked.includes(DESCRIPTOR) ? daclControl() : undefined,
  )
  if (entry === undefined) return undefined
  const anchor = anchorAttribute === undefined ? undefined : bytesOf(entry, anchorAttribute)
  return { account: accountOf(entry, operation, form), anchor: anchor && guidText(anchor) }
}

function accountOf(entry: Entry, operation: Operation, form: AccountForm): Account {
  const { markerAttribute, markerId, grantFor } = form
  const metadata = bytesOf(entry, 'replPropertyMetaData')
  const objectGuid = guidText(bytesOf(entry, 'objectGUID') ?? Buffer.alloc(0))
  const markers = textsOf(entry, markerAttribute)
  if (objectGuid === undefined) throw unsuitable(entry.dn, 'its objectGUID cannot be read')
  if (markers.length > 1) throw unsuitable(entry.dn, `${markerAttribute} has several values`)
  return {
    objectGuid,
    dn: entry.dn,
    name: textOf(entry, 'sAMAccountName') ?? '',
    displayName: textOf(entry, 'displayName') ?? '',
    unreadable: unreadableOf(entry, operation),
    ...kindOf(entry),
    ...statesOf(entry),
    ...timesOf(entry),
    changeDenied: isChangeDenied(bytesOf(entry, DESCRIPTOR)),
    policyDn: textOf(entry, POLICY),
    passwordVersion: passwordVersionOf(metadata),
    marker: markers[0],
    markerOrigin: originOf(metadata, markerId),
    ...(grantFor === undefined ? {} : { markerRight: markerRightOf(entry, markerAttribute, grantFor) }),
  }
}

function markerRightOf(entry: Entry, markerAttribute: string, grantFor: (parentDn: string) => string) {
  const writable = textsOf(entry, WRITABLE).map((name) => name.toLowerCase())
  return { held: writable.includes(markerAttribute.toLowerCase()), grant: grantFor(parentOf(entry.dn)) }
}

const flagsOf = (entry: Entry): number => Number(textOf(entry, 'userAccountControl') ?? 0)

// Every account has these. One that is absent is hidden from the service account, and says nothing about the account.
const NEVER_ABSENT = ['objectSid', 'userAccountControl', COMPUTED, 'tokenGroups']
// Without it nobody knows how many wrong passwords an account has left.
const NEVER_ABSENT_FOR_CHANGE = [...NEVER_ABSENT, 'badPwdCount']

const unreadableOf = (entry: Entry, operation: Operation): readonly string[] =>
  (operation === 'change' ? NEVER_ABSENT_FOR_CHANGE : NEVER_ABSENT).filter(
    (name) => textsOf(entry, name).length === 0,
  )

/** What kind of account it is, and what it belongs to. */
function kindOf(entry: Entry) {
  const flags = flagsOf(entry)
  const [sid] = sidsOf(entry, 'objectSid')
  return {
    objectClasses: textsOf(entry, 'objectClass').map((name) => name.toLowerCase()),
    sid,
    groups: sidsOf(entry, 'tokenGroups'),
    sidHistory: sidsOf(entry, 'sIDHistory'),
    adminCount: Number(textOf(entry, 'adminCount') ?? 0) !== 0,
    criticalSystemObject: textOf(entry, 'isCriticalSystemObject') === 'TRUE',
    ordinary:
      (textOf(entry, 'userAccountControl') === undefined || (flags & NORMAL_ACCOUNT) !== 0) &&
      (flags & MACHINE_OR_TRUST) === 0 &&
      textOf(entry, 'msDS-SecondaryKrbTgtNumber') === undefined,
  }
}

const sidsOf = (entry: Entry, attribute: string): readonly string[] =>
  buffersOf(entry, attribute).flatMap((bytes) => sidText(bytes) ?? [])

/** What stands in the way of a sign-in. */
function statesOf(entry: Entry) {
  const flags = flagsOf(entry)
  return {
    disabled: (flags & ACCOUNT_DISABLED) !== 0,
    locked: (Number(textOf(entry, COMPUTED) ?? 0) & LOCKED_OUT) !== 0,
    passwordNotRequired: (flags & PASSWORD_NOT_REQUIRED) !== 0,
    smartcardRequired: (flags & SMARTCARD_REQUIRED) !== 0,
    passwordNeverExpires: (flags & PASSWORD_NEVER_EXPIRES) !== 0,
    mustChange: largeInteger(textOf(entry, 'pwdLastSet')) === 0n,
    badPasswordCount: Number(textOf(entry, 'badPwdCount') ?? 0),
  }
}

function timesOf(entry: Entry) {
  const moment = (attribute: string) => momentOfFileTime(largeInteger(textOf(entry, attribute)) ?? 0n)
  return {
    expiresAtMs: moment('accountExpires'),
    passwordSetAtMs: moment('pwdLastSet'),
    passwordExpiresAtMs: moment(EXPIRY),
    badPasswordAtMs: moment('badPasswordTime'),
    lockedAtMs: moment(LOCKED_AT),
  }
}

function unsuitable(dn: string, why: string): WritebackError {
  return new WritebackError('ERR_DIRECTORY_UNSUITABLE', `${dn} is no readable account: ${why}`)
}
