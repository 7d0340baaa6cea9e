// A Redis that holds what was true some time ago: nothing that has ended is written again, and nothing new is lost.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { isPasswordWrite } from '../e2e/password-writes.ts'
import { newPassword, redisPassword } from '../servers/canaries.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { startRedisServer, type TestRedis } from '../servers/redis-server.ts'
import { startTcpRelay, type TcpRelay } from '../servers/tcp-relay.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'

const PORT = 6379
let world: World<'openldap'>
let proxy: LdapProxy
let primary: TestRedis
let replica: TestRedis
let relay: TcpRelay
let admin: Redis
let users = 0

beforeAll(async () => {
  primary = await startRedisServer({ transport: 'tcp' })
  relay = await startTcpRelay({ host: String(primary.address), port: PORT })
  replica = await startRedisServer({
    transport: 'tcp',
    settings: { replicaof: `${primary.address} ${PORT}`, masterauth: redisPassword().toString() },
  })
  admin = new Redis(PORT, String(replica.address), { password: redisPassword().toString() })
  world = await startWorld({
    kind: 'openldap',
    agentSettings: `queue: { redis: "redis://${relay.address}:${PORT}", passwordFile: redis-password }`,
    beforeAgent: (directory) =>
      writeFileSync(path.join(directory, 'redis-password'), redisPassword(), { mode: 0o600 }),
  })
  proxy = world.proxy as LdapProxy
}, 60_000)
afterAll(async () => {
  await world.stop()
  admin.disconnect()
  await relay.stop()
  await replica.stop()
  await primary.stop()
})

const newUsers = async (count: number): Promise<readonly WorldUser[]> => {
  const made: WorldUser[] = []
  for (; made.length < count; users += 1) made.push(await world.createUser({ name: `back${users}` }))
  return made
}

/** Requests that stand in Redis, and are not begun while the directory cannot be reached. */
async function askWhileAway(): Promise<readonly string[]> {
  const people = await newUsers(4)
  proxy.forget()
  await proxy.refuseConnections()
  proxy.disconnectAll()
  const requests = await Promise.all(people.map((user) => world.ask(user, newPassword())))
  await inQueue(requests.length)
  return requests
}

async function inQueue(count: number): Promise<void> {
  const end = performance.now() + 10_000
  for (;;) {
    const { json } = await world.ops('/status')
    if ((json as { requests: { open: number } }).requests.open === count) break
    if (performance.now() > end) throw new Error(JSON.stringify(json))
    await sleep(20)
  }
}

async function finish(requests: readonly string[]): Promise<void> {
  await proxy.acceptConnections()
  for (const request of requests)
    expect(await world.verdict(request, 45_000)).toMatchObject({ outcome: 'applied' })
  expect(proxy.count(isPasswordWrite)).toBe(requests.length)
}

/** What Redis forgot is worked on, and what it remembers of ended requests costs no write. */
async function expectOnlyNewWork(): Promise<void> {
  const [user] = (await newUsers(1)) as [WorldUser]
  expect(await world.verdict(await world.ask(user, newPassword()), 45_000)).toMatchObject({
    outcome: 'applied',
  })
  await inQueue(0)
  await sleep(1_000)
  expect(await world.ops('/status')).toMatchObject({ json: { queues: { corp: { waiting: 0 } } } })
}

/** How many of the requests a directory of Redis's files does not name. */
function missingIn(place: string, requests: readonly string[]): number {
  const text = readdirSync(place)
    .map((name) => readFileSync(path.join(place, name), 'latin1'))
    .join('')
  return requests.filter((request) => !text.includes(`request-${request}`)).length
}

test('a backup of Redis that names ended requests costs no write, and new ones go on [redis_backup_restored]', async () => {
  const requests = await askWhileAway()
  const files = path.join(primary.directory, 'appendonlydir')
  const backup = path.join(primary.directory, 'backup')
  // In the journal before they are in Redis.
  const end = performance.now() + 10_000
  while (missingIn(files, requests) > 0 && performance.now() < end) await sleep(20)
  cpSync(files, backup, { recursive: true })
  expect(missingIn(backup, requests)).toBe(0)
  await finish(requests)
  await primary.kill()
  rmSync(files, { recursive: true })
  cpSync(backup, files, { recursive: true })
  await primary.restart()
  await expectOnlyNewWork()
  expect(proxy.count(isPasswordWrite)).toBe(requests.length + 1)
}, 90_000)

test('a replica that was behind and is promoted costs no write, and new ones go on [stale_replica_promoted]', async () => {
  const requests = await askWhileAway()
  await replicated(requests)
  replica.pause()
  await finish(requests)
  const [late] = (await newUsers(1)) as [WorldUser]
  expect(await world.reset(late, newPassword())).toMatchObject({ outcome: 'applied' })
  await primary.kill()
  replica.resume()
  await admin.replicaof('NO', 'ONE')
  relay.leadTo({ host: String(replica.address), port: PORT })
  await expectOnlyNewWork()
  expect(proxy.count(isPasswordWrite)).toBe(requests.length + 2)
}, 90_000)

/** Waits until the replica has the job of every request. */
async function replicated(requests: readonly string[]): Promise<void> {
  const end = performance.now() + 15_000
  for (;;) {
    const keys = await admin.keys('*:request-*')
    if (requests.every((request) => keys.some((key) => key.endsWith(`:request-${request}`)))) return
    if (performance.now() > end) throw new Error('the replica does not follow')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
