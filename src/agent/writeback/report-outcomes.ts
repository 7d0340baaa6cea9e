// Reports recorded outcomes to the store until each is confirmed, the same bytes for ever.

import { createBackoff } from '../../clock/backoff.ts'
import type { Clock } from '../../clock/clock.ts'
import { isRetryable } from '../../errors/writeback-error.ts'
import type { Conditions } from '../../telemetry/conditions.ts'
import { errorFields, type Logger } from '../../telemetry/logger.ts'
import type { Journal } from '../journal/journal.ts'
import type { StoreClient } from '../store-client/create-store-client.ts'

/** The reporter of one agent. */
export interface Reporter {
  readonly start: () => void
  /** Something new may wait. */
  readonly wake: () => void
  /** Tries what waits once more, then ends; never later than the deadline. */
  readonly stop: (deadlineMs: number) => Promise<void>
}

/** What the reporter works with. */
export interface ReporterOptions {
  readonly journal: Journal
  readonly client: StoreClient
  readonly clock: Clock
  readonly conditions: Conditions
  /** True while so many requests are open here that their outcomes may wait a moment for each other. */
  readonly isBusy: () => boolean
  readonly log: Logger
}

const BATCH = 64
// A call costs both sides several times what one more outcome in it does.
const GATHER_MS = 150
const BACKOFF = { firstMs: 250, longestMs: 15_000 }

/** Makes the reporter; `start` runs it. */
export function createReporter(options: ReporterOptions): Reporter {
  const { journal, clock, log } = options
  const backoff = createBackoff(BACKOFF)
  const stopping = new AbortController()
  let isStopping = false
  let woken = Promise.withResolvers<void>()
  let running: Promise<void> = Promise.resolve()

  const nextBatch = async (): Promise<Waiting> => {
    const waiting = journal.undelivered(BATCH)
    if (waiting.length === 0 || waiting.length === BATCH || isStopping || !options.isBusy()) return waiting
    await clock.sleep(GATHER_MS, stopping.signal)
    return journal.undelivered(BATCH)
  }
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const waiting = await nextBatch()
      if (waiting.length === 0) {
        if (isStopping) return
        await woken.promise
        woken = Promise.withResolvers()
        continue
      }
      const delay = await deliver(options, waiting, stopping.signal, backoff)
      if (delay > 0) await clock.sleep(delay, stopping.signal)
    }
  }

  return {
    start: () => {
      running = loop().catch((error) => log.error('reporting outcomes ended', errorFields(error)))
    },
    wake: () => woken.resolve(),
    stop: async (deadlineMs) => {
      isStopping = true
      woken.resolve()
      const timer = setTimeout(() => stopping.abort(), deadlineMs)
      await running
      clearTimeout(timer)
    },
  }
}

type Waiting = readonly { readonly requestId: string; readonly bytes: string }[]

/** Sends one batch; gives how long to wait before the next try, 0 after success. */
async function deliver(
  options: ReporterOptions,
  waiting: Waiting,
  signal: AbortSignal,
  backoff: { next: () => number; reset: () => void },
): Promise<number> {
  try {
    await send(options, waiting, signal)
    backoff.reset()
    options.conditions.clear('outcome_not_delivered', '')
    return 0
  } catch (error) {
    if (!isRetryable(error)) await deliverSingly(options, waiting, signal, error)
    const delay = backoff.next()
    options.log.warn('outcomes are not delivered yet', {
      count: waiting.length,
      retryInMs: Math.round(delay),
      ...errorFields(error),
    })
    return delay
  }
}

async function send(
  { journal, client, clock }: ReporterOptions,
  waiting: Waiting,
  signal: AbortSignal,
): Promise<void> {
  const { answer } = await client.outcomes(
    waiting.map(({ bytes }) => bytes),
    signal,
  )
  const sent = new Set(waiting.map(({ requestId }) => requestId))
  const confirmed = answer.results.filter(({ request }) => sent.has(request))
  journal.delivered(
    confirmed.map(({ request, result }) => ({ requestId: request, answer: result })),
    clock.wallMs(),
  )
}

// The store refused the batch for good. One bad outcome must not hold back the others.
async function deliverSingly(
  options: ReporterOptions,
  waiting: Waiting,
  signal: AbortSignal,
  cause: unknown,
): Promise<void> {
  const detail = cause instanceof Error ? cause.message : String(cause)
  if (waiting.length > 1) for (const one of waiting) await send(options, [one], signal).catch(() => {})
  options.conditions.raise('outcome_not_delivered', '', detail)
}
