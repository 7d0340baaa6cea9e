// What the queue of one directory can do, as others see it.
import type { Clock } from '../../clock/clock.ts'
import type { WritebackError } from '../../errors/writeback-error.ts'
import type { Conditions } from '../../telemetry/conditions.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { ShownQueue } from './queue-board.ts'
import type { RedisConnection } from './redis-connection.ts'

/**
 * `done`: finished or given up, the job goes. `retryAfterMs`: the directory is not reachable, so the whole queue
 * waits that long and this request stays first in line. `laterMs`: only this request waits.
 */
export type ProcessResult = 'done' | { readonly retryAfterMs: number } | { readonly laterMs: number }

/** What the queue of one directory needs. */
export interface QueueOptions {
  readonly agent: string
  readonly directory: string
  readonly connection: RedisConnection
  /** How many requests are processed at once. */
  readonly concurrency: number
  readonly log: Logger
  readonly clock: Clock
  readonly conditions: Pick<Conditions, 'raise' | 'clear'>
  /** Between the heartbeats that show that the worker takes jobs. */
  readonly heartbeatMs: number
  /**
   * Carries one request on. May be called for a request again at any time, also for one that is closed or unknown (a
   * Redis that was wound back); never twice at once. Something thrown is a defect: it is logged, and the request is
   * tried again later. The signal aborts when the agent stops.
   */
  readonly process: (requestId: string, signal: AbortSignal) => Promise<ProcessResult>
  /** The requests that should be here, in their order: the journal's word. The queue is filled again from it. */
  readonly openIds: () => readonly string[]
}

/** How many requests wait, are being processed, or wait for their time. */
export interface QueueCounts {
  readonly waiting: number
  readonly active: number
  readonly delayed: number
}

/** The queue of one directory. All calls that need Redis throw ERR_REDIS_UNREACHABLE within seconds when it is away. */
export interface Queue {
  /** Empties what an earlier process left, fills from `openIds`, and begins to process. After a failure: call again. */
  readonly start: () => Promise<void>
  /** Adds requests. One that is here already stays where it is. */
  readonly add: (requestIds: readonly string[]) => Promise<void>
  /** Which of these the queue does not know. */
  readonly missing: (requestIds: readonly string[]) => Promise<readonly string[]>
  /**
   * Adds what `openIds` names and the queue has lost; gives how many. Runs by itself after an outage; housekeeping
   * calls it too, because an idle queue does not notice that it was wiped.
   */
  readonly reconcile: () => Promise<number>
  readonly counts: () => Promise<QueueCounts>
  /** Looks at a request now, whatever it waits for, and without Redis; never rejects. */
  readonly look: (requestId: string) => Promise<void>
  /** When a request is looked at again: wall time, milliseconds since 1970; undefined: not known. */
  readonly nextLook: (requestId: string) => number | 'now' | undefined
  /** What the board shows. */
  readonly shown: () => ShownQueue | undefined
  /** Lets no further request begin. Those being processed go on. */
  readonly pause: () => Promise<void>
  readonly resume: () => Promise<void>
  /**
   * Resolves when the worker takes no jobs, and another one that took its place did not either: ERR_QUEUE_STUCK. Only a
   * new process helps then.
   */
  readonly stuck: Promise<WritebackError>
  /**
   * Stops: no new request begins, those being processed may end; shortly before the deadline their signal aborts.
   * Returns within `deadlineMs`, whatever Redis does.
   */
  readonly stop: (deadlineMs: number) => Promise<void>
}
