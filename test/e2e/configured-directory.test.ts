// What the agent's own configuration of a directory changes, end to end: another anchor, names refused, history required.
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { newPassword, oldPassword } from '../servers/canaries.ts'
import { readGuid, replaceAttribute } from '../servers/directory-admin.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'

const modifies = { operation: 'modify', direction: 'request' } as const
let world: World
let number = 0

beforeAll(async () => {
  world = await startWorld({
    directorySettings: `    anchor: mS-DS-ConsistencyGuid
    passwords: { refuseNames: true, blocklistFile: blocklist.txt }`,
    beforeAgent: (directory) => writeFileSync(`${directory}/blocklist.txt`, '# ours\nSummer-2026\n'),
  })
}, 60_000)
afterAll(() => world?.stop())

/** The 16 bytes of a GUID as Active Directory stores them: the first three fields little-endian. */
function guidBytes(guid: string): Buffer {
  const [a = '', b = '', c = '', d = '', e = ''] = guid.split('-')
  const swapped = [a, b, c].map((field) => Buffer.from(field, 'hex').reverse())
  return Buffer.concat([...swapped, Buffer.from(d + e, 'hex')])
}

/** A user known to the store by mS-DS-ConsistencyGuid, and not by objectGUID. */
async function linkedUser(): Promise<WorldUser & { readonly dn: string }> {
  number += 1
  const anchor = `aaaaaaaa-bbbb-4ccc-8ddd-${String(number).padStart(12, '0')}`
  const created = await world.domain.createUser({
    name: `linked ${number}`,
    accountName: `linked${number}`,
    attributes: { 'mS-DS-ConsistencyGuid': guidBytes(anchor) },
  })
  await world.admin('addUser', { name: `linked${number}`, displayName: 'L', directory: 'corp', anchor })
  return { ...created, anchor, directory: 'corp' }
}
const listed = async (name: string) => {
  const { json } = await world.admin('listUsers', undefined, {}, `?name=${name}`)
  return (json as { users: { objectGuid: string | null }[] }).users[0]
}

test('an account is written once an inspection has pinned its entry, and not before', async () => {
  const user = await linkedUser()
  world.proxy?.forget()
  expect(await world.reset(user, newPassword())).toMatchObject({
    outcome: 'failed',
    reason: 'request_invalid',
  })
  expect(world.proxy?.count(modifies)).toBe(0)
  expect(await world.run('inspect', user)).toMatchObject({
    outcome: 'applied',
    account: { objectGuid: user.objectGuid },
  })
  expect(await listed('linked1')).toMatchObject({ objectGuid: user.objectGuid })
  expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
  expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
})

test('an account whose mS-DS-ConsistencyGuid is its own objectGUID is inspected, and written', async () => {
  const user = await linkedUser()
  const admin = await world.domain.admin()
  const anchor = user.objectGuid
  await replaceAttribute(admin, user.dn, 'mS-DS-ConsistencyGuid', [guidBytes(anchor)])
  await world.admin('addUser', { name: 'seeded', displayName: 'S', directory: 'corp', anchor })
  const seeded = { ...user, anchor }
  expect(await world.run('inspect', seeded)).toMatchObject({ outcome: 'applied' })
  expect(await listed('seeded')).toMatchObject({ objectGuid: anchor })
  expect(await world.reset(seeded, newPassword())).toMatchObject({ outcome: 'applied' })
  expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
})

test('an anchor that was moved to another account writes neither', async () => {
  const user = await linkedUser()
  await world.run('inspect', user)
  const other = await world.domain.createUser({ name: 'thief' })
  const admin = await world.domain.admin()
  await replaceAttribute(admin, user.dn, 'mS-DS-ConsistencyGuid', [
    guidBytes('00000000-0000-4000-8000-00000000dead'),
  ])
  await replaceAttribute(admin, other.dn, 'mS-DS-ConsistencyGuid', [guidBytes(user.anchor)])
  world.proxy?.forget()
  expect(await world.reset(user, newPassword())).toMatchObject({
    outcome: 'refused',
    reason: 'account_not_found',
  })
  expect(world.proxy?.count(modifies)).toBe(0)
  for (const dn of [user.dn, other.dn]) expect(await world.domain.canBind(dn, oldPassword())).toBe(true)
})

test('an anchor that two accounts carry is ambiguous', async () => {
  const user = await linkedUser()
  await world.domain.createUser({
    name: 'twin',
    attributes: { 'mS-DS-ConsistencyGuid': guidBytes(user.anchor) },
  })
  expect(await world.run('inspect', user)).toMatchObject({ outcome: 'refused', reason: 'account_ambiguous' })
})

test('names and the agent’s own list are refused though the directory would take them', async () => {
  const user = await linkedUser()
  await world.run('inspect', user)
  expect(await world.reset(user, Buffer.from('My-Fine-Pass-7'))).toMatchObject({ outcome: 'applied' })
  const own = Buffer.from(`Xy-7-${user.accountName}`)
  expect(await world.reset(user, own)).toMatchObject({
    ...{ outcome: 'refused', reason: 'password_contains_name', rule: { kind: 'no_names' } },
  })
  expect(await world.reset(user, Buffer.from('sUMMER-2026'))).toMatchObject({
    ...{ outcome: 'refused', reason: 'password_blocklisted', rule: { kind: 'not_blocklisted' } },
  })
  expect(await readGuid(await world.domain.admin(), user.dn)).toBe(user.objectGuid)
})

test('the agent refuses to start where history is required and cannot be enforced, and says why [policy_hints_missing]', async () => {
  await world.agent.stop()
  const before = readFileSync(world.agentConfigFile, 'utf8')
  writeFileSync(world.agentConfigFile, before.replace('    anchor:', '    history: required\n    anchor:'))
  // Status 2: a service manager does not try it again.
  await expect(world.agent.start()).rejects.toThrow('does not start (2)')
  expect(world.agent.isRunning()).toBe(false)
  expect(world.agent.output()).toContain('ERR_CONFIG_HISTORY')
  expect(world.agent.output()).toContain('set history to preferred')
  writeFileSync(world.agentConfigFile, before)
  await world.agent.start()
}, 60_000)
