// What the agent's own configuration of a directory changes, end to end: another anchor, names refused, history required,
// controllers that DNS names.
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { laterPassword, newPassword, oldPassword } from '../servers/canaries.ts'
import { readGuid, replaceAttribute } from '../servers/directory-admin.ts'
import { type DnsServer, startDnsServer } from '../servers/dns-server.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import { isPasswordWrite, passwordWrites } from './password-writes.ts'

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

describe('with controllers that DNS names', () => {
  const ALL = '_ldap._tcp.dc._msdcs.corp.test'
  let dns: DnsServer

  beforeAll(async () => {
    dns = await startDnsServer()
    const listed = readFileSync(world.agentConfigFile, 'utf8')
    const discover = `discover: { domain: corp.test, dnsServers: ["${dns.address}"] }`
    writeFileSync(world.agentConfigFile, listed.replace(/controllers: .*/, discover))
    await world.agent.stop()
  }, 90_000)
  afterAll(() => dns?.stop())

  /** Of the names one leads to the proxy before the domain controller, the others nowhere. */
  const answer = (srv: readonly string[]) =>
    dns.answer({
      srv: { [ALL]: srv.map((target, priority) => ({ target, priority })) },
      hosts: { 'dc1.corp.test': world.proxy?.address ?? '' },
    })
  const seen = async () => {
    const { json } = await world.ops('/status')
    const { directories, conditions, jobs } = json as {
      directories: { url: string; discovery: { controllers: string[]; vanished: string[] } }[]
      conditions: { code: string }[]
      jobs: { name: string }[]
    }
    return {
      ...{
        url: directories[0]?.url,
        discovery: directories[0]?.discovery,
        jobs: jobs.map(({ name }) => name),
      },
      conditions: conditions.map(({ code }) => code),
    }
  }

  test('the agent waits for DNS, finds the writer by it at the port of LDAPS, and writes', async () => {
    dns.answer({}, 'refuses')
    const started = world.agent.start()
    const end = performance.now() + 30_000
    while (!world.agent.output().includes('ERR_DIRECTORY_UNDISCOVERED') && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 20))
    expect(world.agent.output()).toContain('controllers_not_found')
    answer(['dc2.corp.test', 'dc1.corp.test', 'dc1.elsewhere.test'])
    await started
    const user = await linkedUser()
    await world.run('inspect', user)
    expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
    expect(await seen()).toMatchObject({
      url: 'ldaps://dc1.corp.test',
      discovery: {
        ...{ controllers: ['ldaps://dc2.corp.test', 'ldaps://dc1.corp.test'], vanished: [] },
        ...{ domain: 'corp.test', problem: null },
      },
      conditions: expect.arrayContaining(['controllers_doubtful']),
      jobs: expect.arrayContaining(['controllers']),
    })
  }, 90_000)

  test('a write in doubt is settled on its controller, though DNS names only another one when the agent is back [dns_lies]', async () => {
    const user = await linkedUser()
    await world.run('inspect', user)
    world.proxy?.forget()
    const lost = world.proxy?.onRequest(isPasswordWrite, { kind: 'swallow-response' })
    const request = await world.ask(user, laterPassword())
    await lost?.hit
    await world.agent.kill()
    answer(['dc2.corp.test'])
    await world.agent.start()
    expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
    expect(passwordWrites(world.proxy as never, { ...user, anchor: user.objectGuid }).sent).toBe(1)
    expect(await world.domain.canBind(user.principal, laterPassword())).toBe(true)
    expect(await seen()).toMatchObject({
      url: 'ldaps://dc1.corp.test',
      discovery: { controllers: ['ldaps://dc2.corp.test'], vanished: ['ldaps://dc1.corp.test'] },
    })
  }, 90_000)
})
