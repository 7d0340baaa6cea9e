// Queues for the queue's tests, with a journal that is a set of ids.
import { setTimeout as sleep } from 'node:timers/promises'
import { createQueue } from '../../../src/agent/queue/create-queue.ts'
import type { ProcessResult, Queue, QueueOptions } from '../../../src/agent/queue/queue.ts'
import { readRedisUrl } from '../../../src/agent/queue/redis-url.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import type { Logger } from '../../../src/telemetry/logger.ts'
import type { TestRedis } from '../../servers/redis-server.ts'

/** A queue and what it did. */
export interface TestQueue extends Queue {
  readonly processed: string[]
  readonly open: Set<string>
  readonly logged: string[]
}

/** A queue whose journal is a set: what is done leaves it. */
export function createTestQueue(
  redis: TestRedis,
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
    conditions: { raise: () => {}, clear: () => {} },
    heartbeatMs: 30_000,
    openIds: () => [...open],
    process: async (requestId, signal) => {
      processed.push(requestId)
      const result = await run(requestId, signal)
      if (result === 'done') open.delete(requestId)
      return result
    },
    ...options,
  })
  return { ...queue, processed, open, logged }
}

function listeningLogger(lines: string[]): Logger {
  const at = (sentence: string, fields: object = {}) => {
    lines.push(`${sentence} ${JSON.stringify(fields)}`)
  }
  const logger: Logger = { debug: at, info: at, warn: at, error: at, child: () => logger }
  return logger
}

/** Waits for a fact; fails when it does not come. */
export async function until(what: () => boolean | Promise<boolean>, limitMs = 15_000): Promise<void> {
  const end = performance.now() + limitMs
  while (!(await what())) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`)
    await sleep(5)
  }
}

/** Adds requests to the journal and to the queue. */
export async function addOpen(queue: TestQueue, ids: readonly string[]): Promise<void> {
  for (const id of ids) queue.open.add(id)
  await queue.add(ids)
}

/** Ids in the order of their numbers. */
export const names = (count: number, from = 1): string[] =>
  Array.from({ length: count }, (_, at) => `r${String(at + from).padStart(3, '0')}`)
