// An entry of the model as a search over LDAP gives it to the product's own readers.
import type { Entry as LdapEntry } from 'ldapts'
import { guidBytes } from '../../src/agent/directory/active-directory/guid.ts'
import {
  type DirectoryModel,
  DOMAIN_DN,
  type Entry,
  FINE_GRAINED_DN,
  MARKER_ATTRIBUTE,
  type ModelPolicy,
  type Server,
} from './directory-model.ts'

const SECONDS_1601_TO_1970 = 11_644_473_600n
const fileTime = (ms: number): string =>
  ms === 0 ? '0' : String((BigInt(ms) + SECONDS_1601_TO_1970 * 1000n) * 10_000n)
const ticks = (ms: number): string => String(-BigInt(ms) * 10_000n)

/** S-1-5-21-1-2-3-<rid> as bytes. */
function sidBytes(rid: number): Buffer {
  const bytes = Buffer.alloc(28)
  bytes.set([1, 5, 0, 0, 0, 0, 0, 5])
  for (const [index, part] of [21, 1, 2, 3, rid].entries()) bytes.writeUInt32LE(part, 8 + 4 * index)
  return bytes
}

const USERS = sidBytes(513)
const PASSWORD_ID = 0x9005a
/** By which the replication metadata knows the marker attribute. */
export const MARKER_ID = 0x200c2

function metadataOf({ cells: { password, marker } }: Entry): Buffer {
  const stamps = [[PASSWORD_ID, password] as const, [MARKER_ID, marker] as const]
  const bytes = Buffer.alloc(16 + 48 * stamps.length)
  bytes.writeUInt32LE(1, 0)
  bytes.writeUInt32LE(stamps.length, 8)
  for (const [index, [id, { version, at, origin }]] of stamps.entries()) {
    const start = 16 + 48 * index
    bytes.writeUInt32LE(id, start)
    bytes.writeUInt32LE(version, start + 4)
    bytes.writeBigUInt64LE(BigInt(Math.floor(at / 1000)) + SECONDS_1601_TO_1970, start + 8)
    guidBytes(origin).copy(bytes, start + 16)
  }
  return bytes
}

/** One account. `showsMetadata`: the service account may read replPropertyMetaData. */
export function ldapEntryOf(
  model: DirectoryModel,
  server: Server,
  entry: Entry,
  showsMetadata: boolean,
): LdapEntry {
  const { cells, guid } = entry
  const account = model.accounts.find((one) => one.guid === guid)
  return {
    dn: cells.dn.value,
    objectGUID: guidBytes(guid),
    objectSid: sidBytes(2_000 + Number.parseInt(guid.slice(0, 6), 16)),
    tokenGroups: [USERS],
    sIDHistory: [],
    replPropertyMetaData: showsMetadata ? metadataOf(entry) : [],
    'msDS-User-Account-Control-Computed': model.isLocked(server, entry) ? '16' : '0',
    sAMAccountName: cells.name.value,
    displayName: cells.name.value,
    objectClass: ['top', 'person', 'organizationalPerson', 'user'],
    adminCount: cells.adminCount.value ? '1' : [],
    userAccountControl: cells.disabled.value ? '514' : '512',
    accountExpires: '0',
    pwdLastSet: fileTime(cells.passwordSetAt.value),
    badPwdCount: String(entry.badPasswordCount),
    badPasswordTime: fileTime(entry.badPasswordAt),
    'msDS-ResultantPSO': account?.policyDn ?? [],
    [MARKER_ATTRIBUTE]: cells.marker.value ?? [],
  }
}

/** The domain's root with its policy. */
export const ldapDomainOf = (policy: ModelPolicy): LdapEntry => ({
  dn: DOMAIN_DN,
  cn: 'domain',
  minPwdLength: String(policy.minimumLength),
  pwdProperties: '0',
  pwdHistoryLength: String(policy.historyLength),
  minPwdAge: ticks(policy.minimumAgeMs),
  maxPwdAge: '0',
  lockoutThreshold: String(policy.lockoutThreshold),
  lockoutDuration: ticks(policy.lockoutDurationMs),
  lockOutObservationWindow: ticks(policy.lockoutWindowMs),
})

/** A fine-grained policy. */
export const ldapFinePolicyOf = (policy: ModelPolicy): LdapEntry => ({
  dn: FINE_GRAINED_DN,
  cn: 'strict',
  'msDS-MinimumPasswordLength': String(policy.minimumLength),
  'msDS-PasswordComplexityEnabled': 'FALSE',
  'msDS-PasswordHistoryLength': String(policy.historyLength),
  'msDS-MinimumPasswordAge': ticks(policy.minimumAgeMs),
  'msDS-MaximumPasswordAge': '0',
  'msDS-LockoutThreshold': String(policy.lockoutThreshold),
  'msDS-LockoutDuration': ticks(policy.lockoutDurationMs),
  'msDS-LockoutObservationWindow': ticks(policy.lockoutWindowMs),
})
