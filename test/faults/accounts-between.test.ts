// What happens to an account between the read and the write of a request: the write is for that one entry, or for none.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { isPasswordWrite, passwordWrites } from '../e2e/password-writes.ts'
import { changedPassword, newPassword, oldPassword, wrongPassword } from '../servers/canaries.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'

const LOCKOUT_THRESHOLD = 4
let world: World
let proxy: LdapProxy
let users = 0

beforeAll(async () => {
  world = await startWorld({
    domain: {
      policy: {
        minPasswordAgeMs: 0,
        lockoutThreshold: LOCKOUT_THRESHOLD,
        lockoutDurationMs: 1_800_000,
        lockoutWindowMs: 1_800_000,
      },
    },
  })
  proxy = world.proxy as LdapProxy
}, 60_000)
afterAll(() => world.stop())

const newUser = (): Promise<WorldUser> => {
  users += 1
  return world.createUser({ name: `between${users}` })
}

/** A reset or change whose write is kept from the directory until `meanwhile` is done. */
async function runWith(
  user: WorldUser,
  operation: 'reset' | 'change',
  meanwhile: () => Promise<unknown>,
): Promise<Awaited<ReturnType<World['verdict']>>> {
  proxy.forget()
  const held = proxy.onRequest(isPasswordWrite, { kind: 'hold' })
  const passwords = operation === 'reset' ? [newPassword()] : [oldPassword(), changedPassword()]
  const request = await world.request(operation, user, { passwords })
  await held.hit
  await meanwhile()
  await held.release()
  return world.verdict(request)
}

const rename = async (user: WorldUser, to: string) => (await world.domain.admin()).modifyDN(user.dn, to)

test('an entry that is renamed between read and write gets its write, by its objectGUID [entry_renamed]', async () => {
  const user = await newUser()
  const renamed = `CN=renamed${users},${world.domain.peopleDn}`
  expect(await runWith(user, 'reset', () => rename(user, renamed))).toMatchObject({ outcome: 'applied' })
  expect(passwordWrites(proxy, user)).toEqual({ sent: 1, accepted: 1 })
  expect(await world.domain.canBind(renamed, newPassword())).toBe(true)
})

test('an entry that is moved between read and write gets its write, by its objectGUID [entry_moved]', async () => {
  const user = await newUser()
  const admin = await world.domain.admin()
  const unit = `OU=Moved,${world.domain.peopleDn}`
  await admin.add(unit, { objectClass: 'organizationalUnit' })
  const moved = `CN=moved${users},${unit}`
  expect(await runWith(user, 'reset', () => rename(user, moved))).toMatchObject({ outcome: 'applied' })
  expect(passwordWrites(proxy, user)).toEqual({ sent: 1, accepted: 1 })
  expect(await world.domain.canBind(moved, newPassword())).toBe(true)
})

test('an entry that is deleted between read and write is not found [entry_deleted]', async () => {
  const user = await newUser()
  const remove = async () => (await world.domain.admin()).del(user.dn)
  expect(await runWith(user, 'reset', remove)).toMatchObject({
    outcome: 'refused',
    reason: 'account_not_found',
  })
  expect(passwordWrites(proxy, user).accepted).toBe(0)
})

test('a new entry of the same name as a deleted one is left alone [entry_recreated]', async () => {
  const user = await newUser()
  const again = async () => {
    await (await world.domain.admin()).del(user.dn)
    await world.domain.createUser({ name: `between${users}` })
  }
  expect(await runWith(user, 'reset', again)).toMatchObject({
    outcome: 'refused',
    reason: 'account_not_found',
  })
  expect(await world.domain.canBind(user.dn, oldPassword())).toBe(true)
  expect(await world.domain.readAccount(user.dn)).toMatchObject({ marker: undefined })
})

const lock = async (user: WorldUser) => {
  for (let tries = 0; tries < LOCKOUT_THRESHOLD; tries += 1)
    await world.domain.canBind(user.dn, wrongPassword())
  expect(await world.domain.readAccount(user.dn)).toMatchObject({ locked: true })
}

test('a change on an account that locked after it was looked at is refused, and counts no attempt [locked_after_guard]', async () => {
  const user = await newUser()
  expect(await runWith(user, 'change', () => lock(user))).toMatchObject({
    outcome: 'refused',
    reason: 'account_locked',
  })
  expect(await world.domain.readAccount(user.dn)).toMatchObject({ badPwdCount: LOCKOUT_THRESHOLD })
  expect(passwordWrites(proxy, user)).toEqual({ sent: 1, accepted: 0 })
})

test('a password that the directory refuses for no known rule is refused with the policy, and nothing changed [refused_unexplained]', async () => {
  const user = await newUser()
  const diagnostic = '0000052D: AtrErr: DSID-03191083, #1: 0: problem 1005 (CONSTRAINT_ATT_TYPE), data 0'
  proxy.onRequest(isPasswordWrite, { kind: 'answer', result: { code: 19, diagnostic } })
  expect(await world.reset(user, newPassword())).toMatchObject({
    ...{ outcome: 'refused', reason: 'password_policy' },
    policy: { name: 'domain' },
  })
  expect(await world.domain.canBind(user.dn, oldPassword())).toBe(true)
})
