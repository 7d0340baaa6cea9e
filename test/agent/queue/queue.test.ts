// The queue on a real Redis: order, waiting, defects, deaths, and what Redis gets to hold.
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { queueName } from '../../../src/agent/queue/create-queue.ts'
import type { ProcessResult, QueueOptions } from '../../../src/agent/queue/queue.ts'
import { bareEnvironment } from '../../servers/child-process.ts'
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

test('adding a request again changes nothing, and works again when it is finished', async () => {
  const queue = testQueue()
  await queue.start()
  await queue.pause()
  await addOpen(queue, ['r1', 'r2'])
  await Promise.all([queue.add(['r1']), queue.add(['r2', 'r1'])])
  expect(await queue.counts()).toEqual({ waiting: 2, active: 0, delayed: 0 })
  expect(await queue.missing(['r1', 'r2', 'r3'])).toEqual(['r3'])
  await queue.resume()
  await until(async () => (await queue.missing(['r1', 'r2'])).length === 2)
  await queue.add(['r1'])
  await until(() => queue.processed.length === 3)
  expect(queue.processed).toEqual(['r1', 'r2', 'r1'])
})

test('keeps the order while the directory is not reachable', async () => {
  let refusals = 3
  const queue = testQueue(async () => (refusals-- > 0 ? { retryAfterMs: 30 } : 'done'))
  await queue.start()
  await addOpen(queue, names(5))
  await until(() => queue.open.size === 0)
  expect(queue.processed).toEqual(['r001', 'r001', 'r001', ...names(5)])
})

test('begins nothing while the directory is not reachable, and then forgets nobody', async () => {
  const times: number[] = []
  let refusals = 3
  const queue = testQueue(
    async () => {
      times.push(performance.now())
      return refusals-- > 0 ? { retryAfterMs: 200 } : 'done'
    },
    { concurrency: 3 },
  )
  await queue.start()
  await queue.pause()
  await addOpen(queue, names(20))
  await queue.resume()
  await until(() => queue.open.size === 0)
  // On a slow machine the third may begin after the first two were refused.
  const begun = times.findIndex((time, at) => at > 0 && time - (times[at - 1] ?? 0) > 150)
  expect([1, 2, 3]).toContain(begun)
  expect([queue.processed.length, new Set(queue.processed).size]).toEqual([23, 20])
})

test('a request for later lets the others pass', async () => {
  let first = true
  const queue = testQueue(async (id) => {
    if (id !== 'r001' || !first) return 'done'
    first = false
    return { laterMs: 150 }
  })
  await queue.start()
  await addOpen(queue, names(3))
  await until(() => queue.open.size === 0)
  expect(queue.processed).toEqual(['r001', 'r002', 'r003', 'r001'])
})

test('a defect is logged, tried again, and its text stays out of Redis', async () => {
  let failures = 2
  const queue = testQueue(async () => {
    if (failures-- > 0) throw new Error('canary text of a defect')
    return 'done'
  })
  await queue.start()
  await addOpen(queue, ['r1'])
  await until(async () => (await queue.counts()).delayed === 1)
  const job = await admin.hgetall(`wb:${queueName('agent', 'main')}:request-r1`)
  expect(job['failedReason']).toBe('ERR_INTERNAL')
  await until(() => queue.open.size === 0)
  expect(queue.processed).toEqual(['r1', 'r1', 'r1'])
  expect(queue.logged.filter((line) => line.includes('canary text of a defect'))).toHaveLength(2)
  expect(await dump()).not.toContain('canary text')
})

test('ten deaths of the worker with the same request still end in processing', async () => {
  for (let death = 1; death <= 10; death++) expect(await runDyingWorker('poison')).toBe('poison\n')
  const queue = testQueue()
  queue.open.add('poison')
  await queue.start()
  await until(() => queue.open.size === 0)
  expect(queue.processed).toEqual(['poison'])
}, 60_000)

function runDyingWorker(requestId: string): Promise<string> {
  const script = join(import.meta.dirname, 'dying-worker.ts')
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', script, redis.url, requestId]
  return new Promise((resolve) => {
    execFile(
      'setpriv',
      ['--pdeathsig', 'KILL', ...node],
      { env: bareEnvironment(), timeout: 15_000 },
      (error, stdout, stderr) => resolve(error?.signal === 'SIGKILL' ? stdout : stderr),
    )
  })
}

test('a job stuck with a dead worker does not block the same request after a restart', async () => {
  const first = testQueue(() => new Promise(() => {}))
  await first.start()
  await addOpen(first, ['r1'])
  await until(() => first.processed.length === 1)
  const second = testQueue()
  second.open.add('r1')
  await second.start()
  await until(() => second.processed.length === 1, 2000)
})

test('stop() lets what is being processed end, and begins nothing new', async () => {
  const queue = testQueue(async () => {
    await sleep(200)
    return 'done'
  })
  await queue.start()
  await addOpen(queue, ['r1', 'r2'])
  await until(() => queue.processed.length === 1)
  const begun = performance.now()
  await queue.stop(5000)
  expect(performance.now() - begun).toBeLessThan(1500)
  expect([queue.processed, [...queue.open]]).toEqual([['r1'], ['r2']])
})

test('a queue that is stopped right after its start leaves no connection behind', async () => {
  for (let round = 0; round < 20; round += 1) {
    const queue = createTestQueue(redis)
    await queue.start()
    await queue.stop(0)
  }
  const others = async () => {
    const lines = String(await admin.client('LIST'))
      .trim()
      .split('\n')
    return lines.filter((line) => !line.includes('cmd=client')).length
  }
  await until(async () => (await others()) === 0, 2_000)
  await sleep(300)
  expect(await others()).toBe(0)
})

test('start() says ERR_REDIS_UNREACHABLE while there is no Redis', async () => {
  const queue = testQueue(undefined, { connection: { path: '/nowhere/redis.sock' } })
  await expect(queue.start()).rejects.toMatchObject({ code: 'ERR_REDIS_UNREACHABLE', retry: 'later' })
})

test('agents and directories do not meet in Redis', async () => {
  const pairs = [
    ['a', 'b-c'],
    ['a-b', 'c'],
    ['a', 'b:c'],
    ['a', 'b'],
  ] as const
  expect(new Set(pairs.map(([agent, directory]) => queueName(agent, directory))).size).toBe(pairs.length)
  const queues = pairs.map(([agent, directory]) => testQueue(undefined, { agent, directory }))
  for (const queue of queues) await queue.start()
  for (const [at, queue] of queues.entries()) await addOpen(queue, [`only-${at}`])
  await until(() => queues.every((queue) => queue.open.size === 0))
  expect(queues.map((queue) => queue.processed)).toEqual(pairs.map((_, at) => [`only-${at}`]))
})

test('Redis holds ids and nothing else of a request', async () => {
  const queue = testQueue()
  await queue.start()
  await queue.pause()
  await addOpen(queue, ['r1'])
  const job = await admin.hgetall(`wb:${queueName('agent', 'main')}:request-r1`)
  expect({ name: job['name'], data: job['data'] }).toEqual({ name: 'request', data: '{}' })
  const keys = await admin.keys(`wb:${queueName('agent', 'main')}:*`)
  expect(keys.every((key) => /:(meta|id|events|wait|request-r1|stalled-check|marker)$/.test(key))).toBe(true)
})

/** Everything Redis holds, in memory and in its append-only file. */
async function dump(): Promise<string> {
  const values: string[] = []
  for (const key of await admin.keys('*'))
    values.push(key, (await admin.dumpBuffer(key))?.toString('latin1') ?? '')
  const folder = join(redis.directory, 'appendonlydir')
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'))
  return [...values, ...files].join('\n')
}

test('wakes fast and costs little', async () => {
  const waits: number[] = []
  let added = 0
  const queue = testQueue(async () => {
    waits.push(performance.now() - added)
    return 'done'
  })
  await queue.start()
  for (const id of names(60)) {
    added = performance.now()
    await queue.add([id])
    await until(() => waits.length === Number(id.slice(1)))
    await sleep(5)
  }
  const sorted = waits.slice(10).sort((a, b) => a - b)
  const cpu = process.cpuUsage()
  const many = names(1000, 1000)
  const begun = performance.now()
  await queue.add(many)
  await until(() => queue.processed.length === 1060)
  const { user, system } = process.cpuUsage(cpu)
  const p50 = sorted[25] ?? 0
  const cpuMs = (user + system) / 1000 / many.length
  console.info(
    `queue: add to start p50 ${p50.toFixed(2)} ms, p99 ${sorted.at(-1)?.toFixed(2)} ms; ` +
      `${cpuMs.toFixed(2)} ms processor time per job, ${((many.length / (performance.now() - begun)) * 1000).toFixed(0)} jobs/s`,
  )
  expect(p50).toBeLessThan(15)
})
