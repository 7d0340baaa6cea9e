// Reports recorded outcomes to the store until each is confirmed, the same bytes for ever.

import { createBackoff } from '../../clock/backoff.ts'
import type { Clock } from '../../clock/clock.ts'
import { isRetryable, WritebackError } from '../../errors/writeback-error.ts'
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

  // Refused for good; tried again beside the others once in a while, never in their place.
  const refused = new Set<string>()
  const look = (): Waiting => {
    const waiting = journal.undelivered(BATCH + refused.size)
    const willing = waiting.filter(({ requestId }) => !refused.has(requestId)).slice(0, BATCH)
    return willing.length > 0 ? willing : waiting.slice(0, BATCH)
  }
  const nextBatch = async (): Promise<Waiting> => {
    const waiting = look()
    if (waiting.length === 0 || waiting.length === BATCH || isStopping || !options.isBusy()) return waiting
    await clock.sleep(GATHER_MS, stopping.signal)
    return look()
  }
  /** One batch, or a rest until there is one. False: nothing waits, and the agent stops. */
  const step = async (): Promise<boolean> => {
    const waiting = await nextBatch()
    if (waiting.length === 0) {
      if (isStopping) return false
      await woken.promise
      woken = Promise.withResolvers()
      return true
    }
    const { delayMs, isRefused } = await deliver(options, waiting, stopping.signal, backoff, refused)
    if (delayMs === 0) return true
    // Behind an outcome that is refused, a new one does not wait; a store that is away gets its rest.
    const awake = new AbortController()
    const rest = clock.sleep(delayMs, AbortSignal.any([stopping.signal, awake.signal]))
    await (isRefused ? Promise.race([rest, woken.promise]) : rest)
    awake.abort()
    woken = Promise.withResolvers()
    return true
  }
  const loop = async (): Promise<void> => {
    let goesOn = true
    while (goesOn && !stopping.signal.aborted) {
      goesOn = await step().catch(async (error: unknown) => {
        // The journal cannot be read for a while; what waits in it waits on.
        log.error('outcomes cannot be reported', errorFields(error))
        await clock.sleep(backoff.next(), stopping.signal)
        return !isStopping
      })
    }
  }

  return {
    start: () => {
      running = loop()
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

interface Delivery {
  /** How long to wait before the next try; 0 after success. */
  readonly delayMs: number
  /** The store answered, and refused something for good. */
  readonly isRefused: boolean
}

/** Sends one batch. */
async function deliver(
  options: ReporterOptions,
  waiting: Waiting,
  signal: AbortSignal,
  backoff: { next: () => number; reset: () => void },
  refused: Set<string>,
): Promise<Delivery> {
  try {
    await send(options, waiting, signal)
    backoff.reset()
    options.conditions.clear('outcome_not_delivered', '')
    return { delayMs: 0, isRefused: false }
  } catch (error) {
    const isRefused = !isRetryable(error)
    if (isRefused) await deliverSingly(options, waiting, signal, error, refused)
    const delayMs = backoff.next()
    options.log.warn('outcomes are not delivered yet', {
      count: waiting.length,
      retryInMs: Math.round(delayMs),
      ...errorFields(error),
    })
    return { delayMs, isRefused }
  }
}

async function send(
  { journal, client, clock }: ReporterOptions,
  waiting: Waiting,
  signal: AbortSignal,
): Promise<void> {
  await journal.durable()
  const { answer } = await client.outcomes(
    waiting.map(({ bytes }) => bytes),
    signal,
  )
  const sent = new Set(waiting.map(({ requestId }) => requestId))
  const confirmed = answer.results.filter(({ request }) => sent.has(request))
  if (confirmed.length === 0)
    throw new WritebackError('ERR_STORE_ANSWER_INVALID', 'the store answered for none of the outcomes', {
      retry: 'later',
    })
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
  refused: Set<string>,
): Promise<void> {
  const detail = cause instanceof Error ? cause.message : String(cause)
  for (const one of waiting.length > 1 ? waiting : [])
    await send(options, [one], signal).catch((error: unknown) => {
      if (!isRetryable(error)) refused.add(one.requestId)
    })
  if (waiting.length === 1 && waiting[0]) refused.add(waiting[0].requestId)
  options.conditions.raise('outcome_not_delivered', '', detail)
}
