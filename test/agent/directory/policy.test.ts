// The password policy of an account on a real domain controller: values, units, which one wins, and what a missing grant
// looks like.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { readPolicyValues } from '../../../src/agent/directory/active-directory/policy-values.ts'
import type { PolicyReading, WriterSession } from '../../../src/agent/directory/directory.ts'
import { effectivePolicySchema } from '../../../src/protocol/account-state.ts'
import { createManualClock } from '../../fakes/manual-clock.ts'
import { type LdapProxy, startLdapProxy } from '../../servers/ldap-proxy.ts'
import { createPasswordSettings } from '../../servers/password-settings.ts'
import { type SambaDomain, startSambaDomain } from '../../servers/samba-domain.ts'
import { openedDirectories, readAccount } from './opened-directories.ts'

const directories = openedDirectories()
let domain: SambaDomain
let proxy: LdapProxy
beforeAll(async () => {
  domain = await startSambaDomain()
  proxy = await startLdapProxy({ target: domain.url })
})
afterEach(() => directories.closeAll())
afterAll(async () => {
  await proxy?.stop()
  await domain?.stop()
})

const DAY_MS = 86_400_000
const DOMAIN_POLICY = {
  name: 'domain',
  source: 'domain',
  minimumLength: 7,
  complexity: true,
  // Samba does not look for names inside a password.
  refusesNames: false,
  historyLength: 24,
  minimumAgeMs: DAY_MS,
  maximumAgeMs: 42 * DAY_MS,
  lockoutThreshold: 0,
  lockoutDurationMs: 1_800_000,
  lockoutWindowMs: 1_800_000,
}

/** Makes a group with members. */
async function createGroup(name: string, members: readonly string[]): Promise<string> {
  const dn = `CN=${name},OU=Outside,${domain.baseDn}`
  const admin = await domain.admin()
  await admin.add(dn, { objectClass: 'group', sAMAccountName: name, member: [...members] })
  return dn
}

async function policyFor(writer: WriterSession, objectGuid: string): Promise<PolicyReading> {
  const account = await readAccount(writer, objectGuid)
  if (account === undefined) throw new Error('no account')
  return writer.readPolicy(account)
}

// Before any grant: the order of the tests of this file matters here alone.
test('a fine-grained policy that cannot be read is named with the missing grant, and readable with it', async () => {
  const user = await domain.createUser({ name: 'strict user' })
  const admin = await domain.admin()
  await createPasswordSettings(admin, domain.baseDn, {
    name: 'Strict, for admins',
    precedence: 50,
    appliesTo: [user.dn],
    values: { 'msDS-MinimumPasswordLength': '14' },
  })
  const writer = await directories.open(domain).writer()
  const grant = `read access on CN=Password Settings Container,CN=System,${domain.baseDn}`
  const problem = (name: string) => `policy ${name} cannot be read: grant the service account ${grant}`
  expect(await policyFor(writer, user.objectGuid)).toEqual({
    kind: 'unreadable',
    name: 'Strict, for admins',
    problem: problem('Strict, for admins'),
  })
  const hidden = await writer.readPolicies()
  expect(hidden.policies).toEqual([DOMAIN_POLICY])
  expect(hidden.problems).toEqual([
    { name: 'Password Settings Container', problem: problem('Password Settings Container') },
  ])
  await domain.edit({ edit: 'read_policies', account: domain.serviceAccountDn })
  const expected = {
    ...DOMAIN_POLICY,
    name: 'Strict, for admins',
    source: 'fine_grained',
    minimumLength: 14,
  }
  const granted = await directories.open(domain).writer()
  expect(await policyFor(granted, user.objectGuid)).toEqual({ kind: 'read', policy: expected })
  expect(await granted.readPolicies()).toEqual({ policies: [DOMAIN_POLICY, expected], problems: [] })
  effectivePolicySchema.parse(expected)
})

test('the domain policy applies where no fine-grained one does', async () => {
  const user = await domain.createUser({ name: 'plain user' })
  const writer = await directories.open(domain).writer()
  expect(await policyFor(writer, user.objectGuid)).toEqual({ kind: 'read', policy: DOMAIN_POLICY })
})

test('a direct policy beats one by group, and among groups the lowest precedence wins', async () => {
  const [direct, grouped, nested] = await Promise.all(
    ['direct', 'grouped', 'nested'].map((name) => domain.createUser({ name: `pso ${name}` })),
  )
  if (!direct || !grouped || !nested) throw new Error('no users')
  const loose = await createGroup('loose', [direct.dn, grouped.dn])
  const firm = await createGroup('firm', [grouped.dn])
  await createGroup('outer', [firm])
  const admin = await domain.admin()
  const make = (name: string, precedence: number, length: number, appliesTo: readonly string[]) =>
    createPasswordSettings(admin, domain.baseDn, {
      name,
      precedence,
      appliesTo,
      values: { 'msDS-MinimumPasswordLength': String(length) },
    })
  await make('by loose group', 20, 9, [loose])
  await make('by firm group', 10, 11, [firm])
  await make('direct', 90, 8, [direct.dn])
  const writer = await directories.open(domain).writer()
  const nameFor = async (objectGuid: string) => {
    const reading = await policyFor(writer, objectGuid)
    return reading.kind === 'read' ? [reading.policy.name, reading.policy.minimumLength] : reading.problem
  }
  expect(await nameFor(direct.objectGuid)).toEqual(['direct', 8])
  expect(await nameFor(grouped.objectGuid)).toEqual(['by firm group', 11])
  expect(await nameFor(nested.objectGuid)).toEqual(['domain', 7])
  const { policies } = await writer.readPolicies()
  expect(policies.map(({ name }) => name)).toEqual([
    'domain',
    'by firm group',
    'by loose group',
    'Strict, for admins',
    'direct',
  ])
})

test('a changed policy is seen after a minute, or at once when asked, and a burst reads once', async () => {
  const clock = createManualClock(Date.now())
  const writer = await directories.open(domain, { controllers: [proxy.url], clock }).writer()
  const length = async (options?: { readonly isFresh: boolean }) => {
    const reading = await writer.readPolicy({ policyDn: undefined }, options)
    return reading.kind === 'read' ? reading.policy.minimumLength : reading.problem
  }
  const reads = () => proxy.count({ operation: 'search', dn: domain.baseDn })
  const before = reads()
  expect(await Promise.all(Array.from({ length: 20 }, () => length()))).toEqual(Array(20).fill(7))
  expect(reads()).toBe(before + 1)
  await domain.setPolicy({ minPasswordLength: 12 })
  clock.pass(59_999)
  expect(await length()).toBe(7)
  clock.pass(1)
  expect(await length()).toBe(12)
  await domain.setPolicy({ minPasswordLength: 7 })
  expect(await length({ isFresh: true })).toBe(7)
  expect(await length()).toBe(7)
  expect(reads()).toBe(before + 3)
})

test('a read that fails is not remembered', async () => {
  const directory = directories.open(domain, { controllers: [proxy.url] })
  const writer = await directory.writer()
  proxy.onRequest({ operation: 'search', dn: domain.baseDn }, { kind: 'reset', when: 'before' })
  await expect(writer.readPolicy({ policyDn: undefined })).rejects.toMatchObject({ retry: 'later' })
  expect(await writer.readPolicy({ policyDn: undefined })).toMatchObject({ kind: 'read' })
})

const NEVER = '-9223372036854775808'
const SOUND = {
  minPwdLength: '7',
  pwdProperties: '1',
  pwdHistoryLength: '24',
  minPwdAge: '-864000000000',
  maxPwdAge: '-36288000000000',
  lockoutThreshold: '0',
  lockoutDuration: '-18000000000',
  lockOutObservationWindow: '-18000000000',
}
const domainForm = { name: 'domain', source: 'domain', refusesNames: true } as const
const valuesOf = (changes: Readonly<Record<string, string | string[]>>) =>
  readPolicyValues({ dn: 'DC=corp,DC=test', ...SOUND, ...changes }, domainForm)

test.each([
  [{}, { refusesNames: true, complexity: true }],
  [{ pwdProperties: '0' }, { complexity: false, refusesNames: false }],
  [{ pwdProperties: '16' }, { complexity: false, refusesNames: false }],
  [{ pwdProperties: '17' }, { complexity: true }],
  [{ pwdProperties: '-2147483647' }, { complexity: true }],
  [{ maxPwdAge: '0' }, { maximumAgeMs: null }],
  [{ maxPwdAge: NEVER }, { maximumAgeMs: null }],
  [{ maxPwdAge: '-9223372036854775807' }, { maximumAgeMs: 922_337_203_685_478 }],
  [{ maxPwdAge: '-864000000000' }, { maximumAgeMs: DAY_MS }],
  [{ minPwdAge: '0' }, { minimumAgeMs: 0 }],
  [{ minPwdAge: '-1' }, { minimumAgeMs: 1 }],
  [{ lockoutDuration: '0' }, { lockoutDurationMs: null }],
  [{ lockoutDuration: NEVER }, { lockoutDurationMs: null }],
  [{ lockoutDuration: '-18000000000' }, { lockoutDurationMs: 1_800_000 }],
  [{ lockOutObservationWindow: '0' }, { lockoutWindowMs: 0 }],
  [{ lockoutThreshold: '999' }, { lockoutThreshold: 999 }],
])('%j is read as %j', (changes, expected) => {
  expect(valuesOf(changes)).toMatchObject({ kind: 'read', policy: expected })
})

test.each([
  [{ minPwdAge: NEVER }],
  [{ lockOutObservationWindow: NEVER }],
  [{ maxPwdAge: '36288000000000' }],
  [{ maxPwdAge: '-9223372036854775809' }],
  [{ maxPwdAge: 'never' }],
  [{ maxPwdAge: '' }],
  [{ minPwdLength: '-1' }],
  [{ minPwdLength: '2147483648' }],
  [{ minPwdLength: '7.5' }],
  [{ lockoutThreshold: '0x10' }],
  [{ pwdProperties: 'TRUE' }],
])('%j is no policy', (changes) => {
  expect(valuesOf(changes)).toEqual({ kind: 'faulty', absent: [], wrong: Object.keys(changes) })
})

test('an attribute that is not shown is absent, never a default', () => {
  for (const name of Object.keys(SOUND)) {
    expect(valuesOf({ [name]: [] })).toEqual({ kind: 'faulty', absent: [name], wrong: [] })
  }
})
