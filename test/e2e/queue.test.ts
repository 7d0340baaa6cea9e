// The queue as operators meet it: a real agent whose Redis is behind a relay that can forget connections.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { newPassword, redisPassword } from '../servers/canaries.ts'
import { startRedisServer, type TestRedis } from '../servers/redis-server.ts'
import { startTcpRelay, type TcpRelay } from '../servers/tcp-relay.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'

let redis: TestRedis
let relay: TcpRelay
let world: World<'openldap'>

beforeAll(async () => {
  redis = await startRedisServer({ transport: 'tcp' })
  relay = await startTcpRelay({ host: String(redis.address), port: 6379 })
  world = await startWorld({
    kind: 'openldap',
    agentSettings: `queue: { redis: "redis://${relay.address}:6379", passwordFile: redis-password, heartbeatSeconds: 0.5 }`,
    beforeAgent: (directory) =>
      writeFileSync(path.join(directory, 'redis-password'), redisPassword(), { mode: 0o600 }),
  })
}, 60_000)
afterAll(async () => {
  await world?.stop()
  await relay?.stop()
  await redis?.stop()
})

const ofWorker = (words: string) => words.includes('writeback-worker')

test('a stuck worker is made anew, and a reset goes on; when that does not help the agent ends with status 7, and a start goes on', async () => {
  const user = await world.createUser({ name: 'stuck' })
  relay.forgetOpen(ofWorker)
  expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
  expect(world.agent.output()).toContain('"condition":"queue_stuck"')
  relay.forgetNew(ofWorker)
  relay.forgetOpen(ofWorker)
  const request = await world.request('unlock', user)
  expect(await world.agent.ended()).toBe(7)
  expect(world.agent.output()).toContain('ERR_QUEUE_STUCK')
  relay.forgetNew(undefined)
  await world.agent.start()
  expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
}, 60_000)
