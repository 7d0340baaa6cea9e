// What a wrong current password costs and what the policy of an account means for a request: facts for the suite on states,
// which runs them in the world of either kind of directory.
import { describe, expect, test } from '@jest/globals'
import type { Actor } from '../../src/protocol/request-document.ts'
import { newPassword, oldPassword, wrongPassword } from '../servers/canaries.ts'
import { type NewUser, signInCode } from '../servers/directory-admin.ts'
import type { DirectoryKind } from '../servers/directory-kinds.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { createPolicy } from '../servers/slapd-admin.ts'
import type { World, WorldUser } from '../servers/writeback-world.ts'
import { boundNames } from './password-writes.ts'
import { LOCKOUT_THRESHOLD, type StateDialect } from './state-dialects.ts'

const DAY_MS = 86_400_000
const MODIFY = { operation: 'modify', direction: 'request' } as const

/** What the suite has once it runs. */
interface Suite {
  readonly world: World<DirectoryKind>
  readonly dialect: StateDialect
  readonly proxy: LdapProxy
  readonly newUser: (user?: Partial<NewUser>) => Promise<WorldUser>
}

const actor: { kind: Actor['kind'] } = { kind: 'self' }
const change = ({ world }: Suite, user: WorldUser, current: Buffer, next: Buffer) =>
  world.run('change', user, { passwords: [current, next], actor })
const signIn = ({ world }: Suite, { principal }: WorldUser, password: Buffer) =>
  signInCode(world.domain.url, principal, password)
const inspect = ({ world }: Suite, user: WorldUser) =>
  world.run('inspect', user, { actor: { kind: 'administrator' } })
/** Names other than the service account's that anybody bound with through the proxy. */
const strangers = ({ world, proxy }: Suite) =>
  [...boundNames(proxy)].filter((name) => name !== world.domain.serviceAccountName)

const GRANT = 'read access on CN=Password Settings Container,CN=System,DC=corp,DC=test'

/** Facts of a domain whose fine-grained policies the service account may not read. */
export function unreadablePolicyFacts(suite: () => Suite): void {
  test('a fine-grained policy that cannot be read explains nothing: password_policy, and a condition names the grant', async () => {
    const { world, dialect, newUser } = suite()
    const user = await newUser()
    await dialect.givePolicy(user, 'Hidden', { minimumLength: 14 })
    const verdict = await world.reset(user, Buffer.from('Nine-chr1'))
    expect(verdict).toMatchObject({ outcome: 'refused', reason: 'password_policy', rule: null, policy: null })
    expect(verdict.detail).toContain('0000052D')
    const { conditions } = (await world.ops('/status')).json as { conditions: { code: string }[] }
    expect(conditions).toContainEqual(
      expect.objectContaining({ code: 'policy_unreadable', detail: expect.stringContaining(GRANT) }),
    )
    expect(await signIn(suite(), user, oldPassword())).toBe('ok')
  })

  test('a change under a policy that cannot be read is not tried: missing_right, with the grant', async () => {
    const { dialect, proxy, newUser } = suite()
    const user = await newUser()
    await dialect.givePolicy(user, 'Hidden too', {})
    proxy.forget()
    const verdict = await change(suite(), user, oldPassword(), newPassword())
    expect(verdict).toMatchObject({ outcome: 'failed', reason: 'missing_right' })
    expect(verdict.detail).toContain(GRANT)
    expect(proxy.count(MODIFY)).toBe(0)
    expect(await signIn(suite(), user, oldPassword())).toBe('ok')
  })
}

/** Facts of either kind of directory, and those that only Active Directory has. */
export function policyFacts(kind: DirectoryKind, suite: () => Suite): void {
  describe('the current password of a change', () => {
    currentPasswordFacts(suite)
    if (kind === 'active-directory') thresholdFacts(suite)
  })
  describe('the policy that applies', () => {
    lengthAndAgeFacts(suite)
    historyFacts(suite)
    if (kind === 'active-directory') guessFacts(suite)
    else settingFacts(suite)
  })
  describe('protection', () => protectedFacts(suite))
}

function currentPasswordFacts(suite: () => Suite): void {
  test('a wrong one counts once at the directory, by one modify and no bind', async () => {
    const { world, dialect, proxy, newUser } = suite()
    const user = await newUser()
    proxy.forget()
    const verdict = await change(suite(), user, wrongPassword(), newPassword())
    expect(verdict).toMatchObject({ outcome: 'refused', reason: 'wrong_current_password', notices: [] })
    expect(proxy.count(MODIFY)).toBe(1)
    expect(strangers(suite())).toEqual([])
    expect(await world.domain.readAccount(user.dn)).toMatchObject({
      ...{ badPwdCount: dialect.wrongChangeCounts, locked: false, marker: undefined },
    })
    expect(await signIn(suite(), user, oldPassword())).toBe('ok')
  })
}

function thresholdFacts(suite: () => Suite): void {
  test.each([
    {
      title: 'at a threshold of 3 the second wrong one is not tried, and a good sign-in frees the account',
      ...{ threshold: 3, tries: 1, afterSignIn: { outcome: 'applied' } },
    },
    {
      title: 'at a threshold of 5 the fourth wrong one is not tried, for an hour, even after a good sign-in',
      ...{ threshold: 5, tries: 3, afterSignIn: { outcome: 'refused', reason: 'too_many_attempts' } },
    },
  ])('$title', async ({ threshold, tries, afterSignIn }) => {
    const { world, dialect, proxy, newUser } = suite()
    const user = await newUser()
    await dialect.givePolicy(user, `Threshold ${threshold}`, { lockoutThreshold: threshold })
    for (let tried = 1; tried <= tries; tried += 1) {
      const verdict = await change(suite(), user, wrongPassword(), newPassword())
      expect(verdict).toMatchObject({ outcome: 'refused', reason: 'wrong_current_password' })
      expect(await world.domain.readAccount(user.dn)).toMatchObject({ badPwdCount: tried, locked: false })
    }
    proxy.forget()
    const tooMany = { outcome: 'refused', reason: 'too_many_attempts' }
    expect(await change(suite(), user, wrongPassword(), newPassword())).toMatchObject(tooMany)
    expect(await change(suite(), user, oldPassword(), newPassword())).toMatchObject(tooMany)
    expect(proxy.count(MODIFY)).toBe(0)
    expect(await world.domain.readAccount(user.dn)).toMatchObject({ badPwdCount: tries, locked: false })
    expect(await signIn(suite(), user, oldPassword())).toBe('ok')
    expect(await change(suite(), user, oldPassword(), newPassword())).toMatchObject(afterSignIn)
    expect(strangers(suite())).toEqual([])
  })
}

function historyFacts(suite: () => Suite): void {
  test('a change to the same password is refused: password_in_history', async () => {
    const { world, dialect, newUser } = suite()
    const user = await newUser()
    const before = await dialect.writesOf(user.dn)
    expect(await change(suite(), user, oldPassword(), oldPassword())).toMatchObject({
      ...{ outcome: 'refused', reason: 'password_in_history' },
      rule: { kind: 'not_used_before', remembered: dialect.historyLength },
      policy: { name: 'domain' },
    })
    expect(await dialect.writesOf(user.dn)).toEqual(before)
    expect(await world.domain.readAccount(user.dn)).toMatchObject({ badPwdCount: 0 })
  })

  test('an inspect tells the policy, when the password was set and when it expires', async () => {
    const { dialect, newUser } = suite()
    const user = await newUser()
    await dialect.givePolicy(user, 'Ten days', { maximumAgeMs: 10 * DAY_MS, historyLength: 4 })
    const { account } = await inspect(suite(), user)
    expect(account).toMatchObject({
      objectGuid: user.anchor,
      policy: { name: 'Ten days', historyLength: 4, maximumAgeMs: 10 * DAY_MS, lockoutThreshold: 3 },
      policyProblem: null,
      accountExpiresAt: null,
    })
    const setAt = Number(account?.passwordChangedAt)
    expect(Math.abs(setAt - Date.now())).toBeLessThan(60_000)
    expect(Math.abs(Number(account?.passwordExpiresAt) - setAt - 10 * DAY_MS)).toBeLessThan(1_000)
  })
}

function lengthAndAgeFacts(suite: () => Suite): void {
  test('a change before the minimum age is refused with the time from which it may be made', async () => {
    const { world, dialect, proxy, newUser } = suite()
    const user = await newUser()
    await dialect.givePolicy(user, 'A day', { minimumAgeMs: DAY_MS })
    proxy.forget()
    const verdict = await change(suite(), user, oldPassword(), newPassword())
    expect(verdict).toMatchObject({
      ...{ outcome: 'refused', reason: 'password_too_young' },
      rule: { kind: 'changeable_from' },
      policy: { name: 'A day', source: 'fine_grained', minimumAgeMs: DAY_MS },
    })
    const { at } = verdict.rule as { at: number }
    expect(Math.abs(at - DAY_MS - Date.now())).toBeLessThan(60_000)
    expect(proxy.count(MODIFY)).toBe(0)
    // slapd holds an administrator's reset to the age as well.
    const ends = world.domain.kind === 'openldap' ? { reason: 'password_too_young' } : { outcome: 'applied' }
    expect(await world.reset(user, newPassword())).toMatchObject(ends)
  })

  test('a password that a fine-grained policy finds too short is refused with its rule and its name, unsent', async () => {
    const { world, dialect, proxy, newUser } = suite()
    const user = await newUser()
    await dialect.givePolicy(user, 'Fourteen', { minimumLength: 14 })
    proxy.forget()
    const expected = {
      ...{ outcome: 'refused', reason: 'password_too_short' },
      rule: { kind: 'minimum_length', characters: 14 },
      policy: { name: 'Fourteen', source: 'fine_grained', minimumLength: 14 },
    }
    const short = Buffer.from('Thirteen-chr1')
    expect(await world.reset(user, short)).toMatchObject(expected)
    expect(await change(suite(), user, oldPassword(), short)).toMatchObject(expected)
    expect(proxy.count(MODIFY)).toBe(0)
    expect(await signIn(suite(), user, oldPassword())).toBe('ok')
  })
}

function guessFacts(suite: () => Suite): void {
  test('a change to an earlier password is refused without a guess: password_policy, with the policy [refused_unexplained]', async () => {
    const { newUser } = suite()
    const user = await newUser()
    expect(await change(suite(), user, oldPassword(), newPassword())).toMatchObject({ outcome: 'applied' })
    expect(await change(suite(), user, newPassword(), oldPassword())).toMatchObject({
      ...{ outcome: 'refused', reason: 'password_policy', rule: null },
      policy: { name: 'domain', historyLength: 24 },
      detail: expect.stringContaining('0000052D'),
    })
    expect(await signIn(suite(), user, newPassword())).toBe('ok')
  })
}

/** Settings of a policy that slapd alone has. */
function settingFacts(suite: () => Suite): void {
  const under = async (name: string, values: Readonly<Record<string, string>>) => {
    const { world, newUser } = suite()
    const user = await newUser()
    await createPolicy(await world.domain.admin(), name, values, [user.dn])
    return user
  }

  test('pwdSafeModify TRUE: a reset fails with what to change in which policy, and a change is applied', async () => {
    const user = await under('Safe', { pwdSafeModify: 'TRUE' })
    expect(await suite().world.reset(user, newPassword())).toMatchObject({
      ...{ outcome: 'failed', reason: 'missing_right' },
      detail: expect.stringContaining('policy Safe has pwdSafeModify TRUE'),
    })
    expect(await change(suite(), user, oldPassword(), newPassword())).toMatchObject({ outcome: 'applied' })
    expect(await signIn(suite(), user, newPassword())).toBe('ok')
  })

  test('pwdMustChange FALSE: a reset with must-change is applied, and says that nobody is asked', async () => {
    const user = await under('Lenient', { pwdMustChange: 'FALSE' })
    const verdict = await suite().world.reset(user, newPassword(), { mustChangeAtNextSignIn: true })
    expect(verdict).toMatchObject({ outcome: 'applied', notices: ['must_change_without_effect'] })
    expect(await signIn(suite(), user, newPassword())).toBe('ok')
  })

  test('pwdMaxFailure: a change is not tried where wrong sign-ins leave no room, and slapd counts none for it', async () => {
    const { world, proxy, newUser } = suite()
    const user = await newUser()
    for (let tries = 1; tries < LOCKOUT_THRESHOLD; tries += 1) await signIn(suite(), user, wrongPassword())
    proxy.forget()
    const tooMany = { outcome: 'refused', reason: 'too_many_attempts' }
    expect(await change(suite(), user, oldPassword(), newPassword())).toMatchObject(tooMany)
    expect(proxy.count(MODIFY)).toBe(0)
    const counted = { badPwdCount: LOCKOUT_THRESHOLD - 1, locked: false }
    expect(await world.domain.readAccount(user.dn)).toMatchObject(counted)
  })
}

function protectedFacts(suite: () => Suite): void {
  test('an inspect of a protected account tells nothing but that', async () => {
    const { dialect, proxy, newUser } = suite()
    const user = await newUser()
    await dialect.protect(user)
    proxy.forget()
    const nothing = { account: null, policy: null, rule: null, detail: null, notices: [] }
    expect(await inspect(suite(), user)).toMatchObject({
      ...{ outcome: 'refused', reason: 'account_protected' },
      ...nothing,
    })
    expect(proxy.count(MODIFY)).toBe(0)
  })

  test('a protected account is refused whatever is asked, and not one modify is sent', async () => {
    const { world, dialect, proxy, newUser } = suite()
    const user = await newUser()
    await dialect.protect(user)
    const before = await dialect.writesOf(user.dn)
    proxy.forget()
    const refused = { outcome: 'refused', reason: 'account_protected' }
    expect(await world.reset(user, newPassword())).toMatchObject(refused)
    expect(await change(suite(), user, oldPassword(), newPassword())).toMatchObject(refused)
    expect(await world.run('unlock', user)).toMatchObject(refused)
    expect(proxy.count(MODIFY)).toBe(0)
    expect(await dialect.writesOf(user.dn)).toEqual(before)
  })
}
