// A worker that takes no jobs though Redis answers, on a real Redis behind a relay that forgets connections without a word; and
// what only looks like it.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import type { ProcessResult, QueueOptions } from '../../../src/agent/queue/queue.ts'
import { readRedisUrl } from '../../../src/agent/queue/redis-url.ts'
import { redisPassword } from '../../servers/canaries.ts'
import { startRedisServer, type TestRedis } from '../../servers/redis-server.ts'
import { startTcpRelay, type TcpRelay } from '../../servers/tcp-relay.ts'
import { addOpen, createTestQueue, names, type TestQueue, until } from './test-queue.ts'

const HEARTBEAT_MS = 200
const ofWorker = (words: string) => words.includes('writeback-worker')

let redis: TestRedis
let relay: TcpRelay
let connection: QueueOptions['connection']
const stops: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  redis = await startRedisServer({ transport: 'tcp' })
  relay = await startTcpRelay({ host: String(redis.address), port: 6379 })
  const passwordFile = path.join(redis.directory, 'password')
  writeFileSync(passwordFile, redisPassword())
  connection = readRedisUrl({ url: `redis://${relay.address}:6379`, passwordFile })
})
afterEach(async () => {
  relay.forgetNew(undefined)
  redis.resume()
  for (const stop of stops.splice(0).reverse()) await stop()
})
afterAll(async () => {
  await relay.stop()
  await redis.stop()
})

/** A queue behind the relay, and what its conditions were told: `+code` raised, `-code` cleared. */
function watchedQueue(
  run?: (requestId: string, signal: AbortSignal) => Promise<ProcessResult>,
  options: Partial<QueueOptions> = {},
): TestQueue & { readonly told: string[] } {
  const told: string[] = []
  const tell = (word: string) => {
    if (told.at(-1) !== word) told.push(word)
  }
  const queue = createTestQueue(redis, run, {
    ...{ connection, heartbeatMs: HEARTBEAT_MS, concurrency: 2 },
    conditions: {
      raise: (code) => tell(`+${code}`),
      clear: (code) => {
        if (told.includes(`+${code}`)) tell(`-${code}`)
      },
    },
    ...options,
  })
  stops.push(() => queue.stop(500))
  return { ...queue, told }
}

test('a worker whose connections were forgotten is made anew: what is under way goes on, and requests are taken', async () => {
  let active = 0
  let most = 0
  const queue = watchedQueue(async (id) => {
    if (id !== 'slow') return 'done'
    most = Math.max(most, ++active)
    await sleep(1500)
    active--
    return 'done'
  })
  await queue.start()
  await addOpen(queue, ['slow'])
  await until(() => queue.processed.includes('slow'))
  relay.forgetOpen(ofWorker)
  await addOpen(queue, names(20))
  await until(() => queue.told.includes('+queue_stuck'))
  await until(() => queue.told.at(-1) === '-queue_stuck')
  await until(() => queue.open.size === 0)
  expect(queue.told).toEqual(['+queue_stuck', '-queue_stuck'])
  expect(queue.logged.filter((line) => line.includes('is stuck and is made anew'))).toHaveLength(1)
  expect([most, new Set(queue.processed).size]).toEqual([1, 21])
}, 30_000)

test('a new worker that is stuck as well ends the queue: ERR_QUEUE_STUCK', async () => {
  const queue = watchedQueue()
  await queue.start()
  relay.forgetNew(ofWorker)
  relay.forgetOpen(ofWorker)
  expect(await queue.stuck).toMatchObject({
    code: 'ERR_QUEUE_STUCK',
    message: expect.stringMatching(/^the queue of main: no job was taken for 400 ms, though Redis answers$/),
  })
  expect(queue.told).toEqual(['+queue_stuck'])
  const begun = performance.now()
  await queue.stop(500)
  expect(performance.now() - begun).toBeLessThan(700)
}, 20_000)

test('a Redis that stands still is unreachable, and no worker is made anew', async () => {
  const queue = watchedQueue()
  await queue.start()
  await addOpen(queue, ['r1'])
  await until(() => queue.open.size === 0)
  redis.pause()
  await until(() => queue.told.includes('+queue_unreachable'))
  await sleep(5 * HEARTBEAT_MS)
  redis.resume()
  await until(() => queue.told.at(-1) === '-queue_unreachable')
  await addOpen(queue, ['r2'])
  await until(() => queue.open.size === 0)
  await sleep(5 * HEARTBEAT_MS)
  expect(queue.told).toEqual(['+queue_unreachable', '-queue_unreachable'])
}, 30_000)

test('a queue whose own connection was forgotten connects anew, and calls nothing stuck', async () => {
  const queue = watchedQueue()
  await queue.start()
  relay.forgetOpen((words) => words.includes('writeback-producer'))
  await expect(queue.add(['r1'])).rejects.toMatchObject({ code: 'ERR_REDIS_UNREACHABLE' })
  await until(async () => (await queue.counts().catch(() => undefined)) !== undefined, 10_000)
  await addOpen(queue, ['r1'])
  await until(() => queue.open.size === 0)
  expect(queue.told.filter((word) => word.includes('stuck'))).toEqual([])
}, 30_000)

test('slow requests in all places are no stuck worker, until none of them ever ends', async () => {
  const queue = watchedQueue(
    (id) => (id === 'hung' ? new Promise(() => {}) : sleep(600).then(() => 'done' as const)),
    { concurrency: 1, heartbeatMs: 50 },
  )
  await queue.start()
  await addOpen(queue, ['r1', 'r2'])
  await until(() => queue.open.size === 0)
  expect(queue.told).toEqual([])
  await addOpen(queue, ['hung'])
  expect(await queue.stuck).toMatchObject({
    message: expect.stringContaining('no request has ended for 1000 ms, and all places are taken'),
  })
  expect(queue.logged.filter((line) => line.includes('made anew'))).toEqual([])
}, 20_000)

test('a queue that rests for longer than two heartbeats, because its directory is away, is not stuck', async () => {
  const queue = watchedQueue(async () => ({ retryAfterMs: 1_500 }))
  await queue.start()
  await addOpen(queue, ['r1'])
  await until(() => queue.processed.length > 1)
  await sleep(7 * HEARTBEAT_MS)
  expect(queue.told).toEqual([])
}, 20_000)

test('a queue that is paused, wiped, or waits for its directory is not stuck', async () => {
  let isAway = true
  const queue = watchedQueue(async () => (isAway ? { retryAfterMs: 300 } : 'done'))
  const admin = new Redis({ host: String(redis.address), password: redisPassword().toString() })
  stops.push(async () => admin.disconnect())
  await queue.start()
  await addOpen(queue, ['r1'])
  await sleep(8 * HEARTBEAT_MS)
  expect(queue.processed.length).toBeGreaterThan(3)
  isAway = false
  await until(() => queue.open.size === 0)
  await queue.pause()
  await sleep(5 * HEARTBEAT_MS)
  await admin.flushall()
  await sleep(2 * HEARTBEAT_MS)
  await queue.resume()
  await admin.flushall()
  await sleep(5 * HEARTBEAT_MS)
  expect(queue.told).toEqual([])
}, 20_000)
