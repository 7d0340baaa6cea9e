// What tests do to an OpenLDAP server as its administrator: make users and policies, read the end state.
import { Attribute, Change, type Client, Control } from 'ldapts'
import { adminPassword, oldPassword } from './canaries.ts'
import {
  type AccountState,
  type CreatedUser,
  type DomainPolicy,
  escapeRdn,
  ldapClient,
  type NewUser,
  readEntry,
  replaceAttribute,
} from './directory-admin.ts'
import { SLAPD_ADMIN, SLAPD_BASE, SLAPD_POLICY } from './slapd-template.ts'

/** A client bound as the administrator (rootdn), whom no access rule and no password policy holds. */
export async function slapdAdminClient(url: string): Promise<Client> {
  const client = await ldapClient(url, 15_000)
  await client.bind(SLAPD_ADMIN, adminPassword().toString())
  return client
}

/** Creates a person below `ou` (default People), whose password is set as by an administrator. */
export async function createPerson(client: Client, user: NewUser): Promise<CreatedUser> {
  const accountName = user.accountName ?? user.name
  const dn = `uid=${escapeRdn(accountName)},ou=${user.ou ?? 'People'},${SLAPD_BASE}`
  await client.add(dn, {
    objectClass: 'inetOrgPerson',
    uid: accountName,
    cn: user.name,
    sn: user.name,
    ...user.attributes,
  } as unknown as Record<string, string>)
  // A password that comes with the entry has no pwdChangedTime when the administrator adds it.
  await setUserPassword(client, dn, user.password ?? oldPassword())
  return { dn, accountName, principal: dn, objectGuid: await readEntryUuid(client, dn) }
}

/** The entryUUID of an entry. */
export const readEntryUuid = async (client: Client, dn: string): Promise<string> =>
  String((await readEntry(client, dn, ['entryUUID']))['entryUUID'])

/** Sets a password as an administrator does, past the agent; nobody has to change it. */
export async function setUserPassword(client: Client, dn: string, password: Buffer): Promise<void> {
  await replaceAttribute(client, dn, 'userPassword', [password])
  // Where the policy has pwdMustChange, an administrator's password must be changed at the next sign-in.
  await replaceAttribute(client, dn, 'pwdReset', [])
}

/** Gives a group of names (groupOfNames) below ou=Groups these members; memberOf is then there. */
export async function createGroup(client: Client, name: string, members: readonly string[]): Promise<string> {
  const dn = `cn=${escapeRdn(name)},ou=Groups,${SLAPD_BASE}`
  await client.add(dn, { objectClass: 'groupOfNames', cn: name, member: [...members] })
  return dn
}

/** Makes a policy with these pwd attributes, and gives it to users by name (pwdPolicySubentry). */
export async function createPolicy(
  client: Client,
  name: string,
  values: Readonly<Record<string, string>>,
  users: readonly string[] = [],
): Promise<string> {
  const dn = `cn=${escapeRdn(name)},ou=Policies,${SLAPD_BASE}`
  const objectClass = ['organizationalRole', 'pwdPolicy']
  await client.add(dn, { objectClass, cn: name, pwdAttribute: 'userPassword', ...values })
  for (const user of users) await replaceAttribute(client, user, 'pwdPolicySubentry', [dn])
  return dn
}

/** Writes these parts of the default policy, of which others are left as they are. */
export async function setDefaultPolicy(
  client: Client,
  policy: DomainPolicy,
  values: Readonly<Record<string, string>> = {},
): Promise<void> {
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : String(Math.round(ms / 1000)))
  const all: Record<string, string | undefined> = {
    pwdMinAge: seconds(policy.minPasswordAgeMs),
    pwdMinLength: policy.minPasswordLength?.toString(),
    pwdInHistory: policy.passwordHistoryLength?.toString(),
    pwdMaxFailure: policy.lockoutThreshold?.toString(),
    pwdLockoutDuration: seconds(policy.lockoutDurationMs),
    pwdFailureCountInterval: seconds(policy.lockoutWindowMs),
    ...values,
  }
  const changes = Object.entries(all).flatMap(([type, value]) =>
    value === undefined
      ? []
      : [new Change({ operation: 'replace', modification: new Attribute({ type, values: [value] }) })],
  )
  if (changes.length > 0) await client.modify(SLAPD_POLICY, changes)
}

// Lets an administrator write what the server keeps itself.
const RELAX = new Control('1.3.6.1.4.1.4203.666.5.12', { critical: true })

/** Makes the password of an entry look as if it had been set in 2020, or then. */
export async function dateOldPassword(
  client: Client,
  dn: string,
  pwdChangedTime = '20200101000000Z',
): Promise<void> {
  const modification = new Attribute({ type: 'pwdChangedTime', values: [pwdChangedTime] })
  await client.modify(dn, new Change({ operation: 'replace', modification }), RELAX)
}

const STATE = ['pwdFailureTime', 'pwdAccountLockedTime', 'pwdChangedTime', 'pwdReset', 'pwdPolicySubentry']

/** Reads what a reset, an unlock or a bad bind changes. Times in milliseconds. */
export async function readPersonState(client: Client, dn: string): Promise<AccountState> {
  const entry = await readEntry(client, dn, [...STATE, 'writebackMarker'])
  const text = (name: string) => (typeof entry[name] === 'string' ? entry[name] : undefined)
  const policy = await readEntry(client, text('pwdPolicySubentry') ?? SLAPD_POLICY, ['pwdLockoutDuration'])
  const lockedAt = timeOf(text('pwdAccountLockedTime'))
  const durationMs = Number(policy['pwdLockoutDuration']) * 1000
  const isOver = lockedAt > 1 && durationMs > 0 && Date.now() > lockedAt + durationMs
  return {
    badPwdCount: [entry['pwdFailureTime'] ?? []].flat().length,
    lockoutTime: BigInt(lockedAt),
    pwdLastSet: BigInt(timeOf(text('pwdChangedTime'))),
    locked: lockedAt > 0 && !isOver,
    marker: text('writebackMarker'),
    mustChange: text('pwdReset') === 'TRUE',
  }
}

/** Milliseconds of a GeneralizedTime; 0: none; 1: `000001010000Z`, which is for ever. */
function timeOf(text: string | undefined): number {
  if (text === undefined) return 0
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(text)
  if (!parts || text.startsWith('0000')) return 1
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return Date.UTC(year, month - 1, day, hour, minute, second)
}
