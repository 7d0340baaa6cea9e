// A model of the queues of one process: it hands out what it holds, slowly at times, and loses, repeats or brings back what
// it should not.

import type { Queues, QueuesOptions } from '../../src/agent/create-queues.ts'
import type { ProcessResult } from '../../src/agent/queue/queue.ts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import { errorFields } from '../../src/telemetry/logger.ts'
import { DIRECTORY } from './keys-of-the-run.ts'
import type { Owner, Scheduler } from './scheduler.ts'

/** What faults do to the queue of one process. */
export interface QueueHands {
  readonly wipe: () => void
  readonly snapshot: () => void
  /** Brings back what was there when the snapshot was taken. */
  readonly windBack: () => void
  /** Hands out again what was handed out before. */
  readonly duplicate: () => void
  isAway: boolean
  slowMs: number
}

const CONCURRENCY = 4
const RETRY_MS = 500

/** Makes the queues of one process, and the hands of its faults. */
export function createSimulatedQueues(
  scheduler: Scheduler,
  owner: Owner,
  entered: (entry: string) => void,
): { readonly open: (options: QueuesOptions) => Queues; readonly hands: QueueHands } {
  let waiting: string[] = []
  let copy: readonly string[] = []
  const seen: string[] = []
  const delayed = new Map<string, () => void>()
  const running = new Map<string, Promise<ProcessResult>>()
  let active = 0
  let heldUntil = 0
  let isStarted = false
  let options: QueuesOptions
  const stopping = new AbortController()

  const known = (id: string) => waiting.includes(id) || delayed.has(id) || running.has(id)
  const push = (ids: readonly string[]) => {
    for (const id of ids)
      if (!known(id)) {
        waiting.push(id)
        seen.push(id)
        entered(id)
      }
    pump()
  }
  const delay = (id: string, ms: number) => {
    delayed.get(id)?.()
    const wake = () => {
      delayed.delete(id)
      waiting.push(id)
      pump()
    }
    delayed.set(id, scheduler.timer(owner, ms, wake))
  }
  const once = (id: string) => {
    const underWay = running.get(id)
    if (underWay !== undefined) return underWay
    const work = options.process(id, stopping.signal).finally(() => running.delete(id))
    running.set(id, work)
    return work
  }
  const handle = async (id: string) => {
    active += 1
    try {
      const result = await once(id)
      if (result === 'done') return
      if ('retryAfterMs' in result) {
        heldUntil = Math.max(heldUntil, owner.monotonicMs() + result.retryAfterMs)
        waiting.unshift(id)
        scheduler.timer(owner, result.retryAfterMs, pump)
      } else delay(id, result.laterMs)
    } catch (error) {
      options.log.error('processing a request failed, it is tried again', {
        requestId: id,
        ...errorFields(error),
      })
      delay(id, RETRY_MS)
    } finally {
      active -= 1
      scheduler.timer(owner, 1, pump)
    }
  }
  const pump = () => {
    if (!isStarted || hands.isAway || stopping.signal.aborted || owner.monotonicMs() < heldUntil) return
    while (active < CONCURRENCY && waiting.length > 0) {
      const id = waiting.shift() as string
      if (hands.slowMs === 0) void handle(id)
      else {
        active += 1
        scheduler.timer(owner, scheduler.chance.between(1, hands.slowMs), () => {
          active -= 1
          void handle(id)
        })
      }
    }
  }
  const requireThere = () => {
    if (hands.isAway)
      throw new WritebackError('ERR_REDIS_UNREACHABLE', 'the queue is away', { retry: 'later' })
  }
  const hands: QueueHands = {
    wipe: () => {
      waiting = []
      for (const cancel of delayed.values()) cancel()
      delayed.clear()
    },
    snapshot: () => {
      copy = [...waiting, ...delayed.keys(), ...running.keys()]
    },
    windBack: () => {
      waiting = [...waiting, ...copy]
      pump()
    },
    duplicate: () => {
      waiting = [...waiting, ...seen.slice(-8)]
      pump()
    },
    isAway: false,
    slowMs: 0,
  }
  const reconcile = async () => {
    requireThere()
    push(options.journal.openIds(DIRECTORY))
  }
  const open = (given: QueuesOptions): Queues => {
    options = given
    return {
      start: async () => {
        isStarted = true
        push(options.journal.openIds(DIRECTORY))
      },
      add: async (_directory, ids) => {
        requireThere()
        push(ids)
      },
      reconcile,
      counts: async () => ({}),
      board: async () => undefined,
      stuck: new Promise(() => {}),
      look: async (_directory, id) => void (await once(id)),
      nextLook: () => undefined,
      stop: async () => {
        stopping.abort()
        await Promise.allSettled([...running.values()])
      },
    }
  }
  return { open, hands }
}
