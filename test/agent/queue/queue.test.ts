// The queue on a real Redis that is wiped, killed, stopped and restarted under it.
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { createQueue, queueName } from '../../../src/agent/queue/create-queue.ts'
import type { ProcessResult, Queue, QueueOptions } from '../../../src/agent/queue/queue.ts'
import { readRedisUrl } from '../../../src/agent/queue/redis-url.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import type { Logger } from '../../../src/telemetry/logger.ts'
import { bareEnvironment } from '../../servers/child-process.ts'
import { startRedisServer, type TestRedis } from '../../servers/redis-server.ts'

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

interface TestQueue extends Queue {
  readonly processed: string[]
  readonly open: Set<string>
  readonly logged: string[]
}

/** A queue whose journal is a set: what is done leaves it. */
function testQueue(
  run: (requestId: string, signal: AbortSignal) => Promise<ProcessResult> = async () => 'done',
  options: Partial<QueueOptions> = {},
): TestQueue {
  const processed: string[] = []
  const open = new Set<string>()
  const logged: string[] = []
  const queue = createQueue({
    agent: 'agent',
    directory: 'main',
    connection: readRedisUrl({ url: redis.url }),
    concurrency: 1,
    log: listeningLogger(logged),
    clock: systemClock,
    openIds: () => [...open],
    process: async (requestId, signal) => {
      processed.push(requestId)
      const result = await run(requestId, signal)
      if (result === 'done') open.delete(requestId)
      return result
    },
    ...options,
  })
  stops.push(() => queue.stop(1000))
  return { ...queue, processed, open, logged }
}

function listeningLogger(lines: string[]): Logger {
  const at = (sentence: string, fields: object = {}) => {
    lines.push(`${sentence} ${JSON.stringify(fields)}`)
  }
  const logger: Logger = { debug: at, info: at, warn: at, error: at, child: () => logger }
  return logger
}

async function until(what: () => boolean | Promise<boolean>, limitMs = 15_000): Promise<void> {
  const end = performance.now() + limitMs
  while (!(await what())) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`)
    await sleep(5)
  }
}

async function addOpen(queue: TestQueue, ids: readonly string[]): Promise<void> {
  for (const id of ids) queue.open.add(id)
  await queue.add(ids)
}

const names = (count: number, from = 1): string[] =>
  Array.from({ length: count }, (_, at) => `r${String(at + from).padStart(3, '0')}`)

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

test('after FLUSHALL the queue is filled again from the journal', async () => {
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

test('Redis killed and started again while jobs run: every request is processed', async () => {
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
