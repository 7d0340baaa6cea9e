// The queue on a real Redis that is wiped, killed, stopped, filled up and restarted under it.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import type { ProcessResult, QueueOptions } from '../../../src/agent/queue/queue.ts'
import { startRedisServer, type TestRedis } from '../../servers/redis-server.ts'
import { addOpen, createTestQueue, names, type TestQueue, until } from './test-queue.ts'

let redis: TestRedis
let admin: Redis
const stops: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  redis = await startRedisServer({ settings: { appendfsync: 'everysec' } })
  admin = new Redis(String(redis.socketPath), { maxRetriesPerRequest: null, disconnectTimeout: 50 })
  admin.on('error', () => {})
})
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})
afterAll(async () => {
  admin.disconnect()
  await redis.stop()
})

function testQueue(
  run?: (requestId: string, signal: AbortSignal) => Promise<ProcessResult>,
  options?: Partial<QueueOptions>,
): TestQueue {
  const queue = createTestQueue(redis, run, options)
  stops.push(() => queue.stop(1000))
  return queue
}

test('after FLUSHALL the queue is filled again from the journal [flushall]', async () => {
  const queue = testQueue(
    async () => {
      await sleep(3)
      return 'done'
    },
    { concurrency: 4 },
  )
  await queue.start()
  await addOpen(queue, names(100))
  await until(() => queue.processed.length > 30)
  await admin.flushall()
  await until(() => queue.logged.some((line) => line.includes('had lost requests')))
  await queue.reconcile()
  await until(() => queue.open.size === 0)
  expect(new Set(queue.processed).size).toBe(100)
})

test('a paused queue stays paused when Redis forgets it', async () => {
  const queue = testQueue()
  await queue.start()
  await queue.pause()
  await admin.flushall()
  queue.open.add('r1')
  await queue.reconcile()
  await addOpen(queue, ['r2'])
  await sleep(100)
  expect(queue.processed).toEqual([])
  await queue.resume()
  await until(() => queue.open.size === 0)
})

test('Redis killed and started again while jobs run: every request is processed [redis_down_mid_flight, redis_noscript]', async () => {
  const queue = testQueue(
    async () => {
      await sleep(5)
      return 'done'
    },
    { concurrency: 4 },
  )
  await queue.start()
  await addOpen(queue, names(100))
  await until(() => queue.processed.length > 20)
  await redis.kill()
  await sleep(300)
  await expect(queue.add(['x'])).rejects.toMatchObject({ code: 'ERR_REDIS_UNREACHABLE' })
  await redis.restart()
  await until(() => queue.open.size === 0, 25_000)
  expect(new Set(queue.processed).size).toBe(100)
  expect(queue.logged.filter((line) => line.includes('is lost'))).toHaveLength(1)
  await until(() => queue.logged.some((line) => line.includes('is back')))
}, 40_000)

test('one request is never processed twice at once, even when its lock is lost', async () => {
  let active = 0
  let most = 0
  const queue = testQueue(
    async () => {
      most = Math.max(most, ++active)
      await sleep(300)
      active--
      return 'done'
    },
    { concurrency: 3 },
  )
  await queue.start()
  await addOpen(queue, ['r1'])
  await until(() => queue.processed.length === 1)
  await admin.flushall()
  await queue.reconcile()
  await until(async () => (await queue.missing(['r1'])).length === 1)
  expect(most).toBe(1)
})

test.each([
  ['killed', () => redis.kill()],
  ['stopped', async () => redis.pause()],
])('stop() returns within its deadline while Redis is %s', async (_, take) => {
  const seen: string[] = []
  const queue = testQueue((id, signal) => {
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        seen.push(id)
        resolve('done')
      })
    })
  })
  await queue.start()
  await addOpen(queue, ['r1'])
  await until(() => queue.processed.length === 1)
  await take()
  const begun = performance.now()
  await queue.stop(800)
  expect(performance.now() - begun).toBeLessThan(900)
  expect(seen).toEqual(['r1'])
  await redis.restart()
})

test('start() can be called again until Redis is there [redis_down_at_start]', async () => {
  const queue = testQueue()
  queue.open.add('r1')
  await redis.kill()
  await expect(queue.start()).rejects.toMatchObject({ code: 'ERR_REDIS_UNREACHABLE' })
  await expect(queue.start()).rejects.toMatchObject({ code: 'ERR_REDIS_UNREACHABLE' })
  await redis.restart()
  await until(() =>
    queue.start().then(
      () => true,
      () => false,
    ),
  )
  await queue.start()
  await until(() => queue.open.size === 0)
  expect(queue.processed).toEqual(['r1'])
})

/** A failed save stops all writes: there is a directory where the file should be. */
async function failToSave(): Promise<void> {
  mkdirSync(join(redis.directory, 'dump.rdb', 'taken'), { recursive: true })
  await admin.config('SET', 'save', '3600 1')
  await admin.bgsave()
  await until(async () => /rdb_last_bgsave_status:err/.test(await admin.info('persistence')))
}

test.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
  ['full', () => admin.config('SET', 'maxmemory', '1'), () => admin.config('SET', 'maxmemory', '0')],
  ['read-only', () => admin.replicaof('127.0.0.1', 1), () => admin.replicaof('NO', 'ONE')],
  ['unable to save', failToSave, () => admin.config('SET', 'save', '')],
])(
  'a Redis that turns %s loses nothing and does not fill the log [redis_out_of_memory, redis_read_only, redis_misconf]',
  async (_, harm, mend) => {
    const queue = testQueue(
      async () => {
        await sleep(5)
        return 'done'
      },
      { concurrency: 4 },
    )
    await queue.start()
    await addOpen(queue, names(60))
    await until(() => queue.processed.length > 10)
    await harm()
    await expect(queue.add(['later'])).rejects.toMatchObject({ code: 'ERR_REDIS_UNSUITABLE', retry: 'later' })
    const cpu = process.cpuUsage()
    await sleep(1000)
    const { user, system } = process.cpuUsage(cpu)
    const logged = queue.logged.length
    await mend()
    queue.open.add('later')
    await queue.reconcile()
    await until(() => queue.open.size === 0, 25_000)
    expect(logged).toBeLessThan(10)
    // BullMQ alone takes a whole processor here.
    expect((user + system) / 1000).toBeLessThan(500)
  },
  40_000,
)

test('a Redis that forgets the scripts of the queue loses nothing [redis_noscript]', async () => {
  const queue = testQueue(
    async () => {
      await sleep(3)
      return 'done'
    },
    { concurrency: 4 },
  )
  await queue.start()
  await addOpen(queue, names(60))
  for (let round = 1; round <= 5; round += 1) {
    await until(() => queue.processed.length >= round * 10)
    await admin.script('FLUSH')
  }
  await addOpen(queue, ['later'])
  await until(() => queue.open.size === 0)
  expect(queue.processed.length).toBe(61)
})
