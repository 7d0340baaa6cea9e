// Keeps a wrong service password from locking the service account: one bind at a time, and after a refusal none until
// the delay has passed, whoever asks.
import { type BackoffLimits, createBackoff } from '../../clock/backoff.ts'
import type { Clock } from '../../clock/clock.ts'
import { WritebackError } from '../../errors/writeback-error.ts'

/** The gate that every bind of one directory passes. */
export interface BindGate {
  /** Throws the last refusal while its delay runs. Asked before connecting, to spare the connection. */
  readonly check: () => void
  /** Runs one bind alone. A refusal closes the gate, a success opens it for good. */
  readonly run: <T>(bind: () => Promise<T>) => Promise<T>
}

/** Slow, because every try counts against the lockout threshold of the service account. */
const BIND_BACKOFF: BackoffLimits = { firstMs: 60_000, longestMs: 1_800_000 }

/** Makes the gate of one directory. */
export function createBindGate(clock: Clock, limits: BackoffLimits = BIND_BACKOFF): BindGate {
  const backoff = createBackoff(limits)
  let refusal: { error: WritebackError; untilMs: number } | undefined
  let last: Promise<unknown> = Promise.resolve()

  const check = () => {
    if (refusal !== undefined && clock.monotonicMs() < refusal.untilMs) throw refusal.error
  }
  const attempt = async <T>(bind: () => Promise<T>): Promise<T> => {
    check()
    try {
      const result = await bind()
      refusal = undefined
      backoff.reset()
      return result
    } catch (error) {
      if (error instanceof WritebackError && error.code === 'ERR_DIRECTORY_BIND_REFUSED') {
        refusal = { error, untilMs: clock.monotonicMs() + backoff.next() }
      }
      throw error
    }
  }
  return {
    check,
    run: (bind) => {
      const mine = last.then(() => attempt(bind))
      last = mine.catch(() => {})
      return mine
    },
  }
}
