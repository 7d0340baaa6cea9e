// Keeps a wrong service password from locking the service account: one bind at a time, after a refusal none with the same
// password until the delay has passed, whoever asks, and never so many that the directory's lockout comes near.
import { createHmac, randomBytes } from 'node:crypto'
import { type BackoffLimits, createBackoff } from '../../clock/backoff.ts'
import type { Clock } from '../../clock/clock.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import { BindRefused } from './service-bind.ts'

/** When the directory locks the service account. Threshold 0: never. */
export interface BindLockout {
  readonly threshold: number
  readonly windowMs: number
}

/** The gate that every bind of one directory passes. */
export interface BindGate {
  /**
   * Throws the last refusal while its delay runs, unless the password file holds another password since. Asked before
   * connecting, to spare the connection. Throws what reading the password throws.
   */
  readonly check: () => Promise<void>
  /** Runs one bind alone; the password is wiped afterwards. A refusal closes the gate, a success opens it for good. */
  readonly run: <T>(bind: (password: Buffer) => Promise<T>) => Promise<T>
  /** What the directory told of its lockout. Until then a cautious one is taken for granted. */
  readonly learn: (lockout: BindLockout) => void
}

/** What a gate is made of. `readPassword` gives a fresh Buffer each time. */
export interface BindGateOptions {
  readonly clock: Clock
  readonly readPassword: () => Promise<Buffer>
  /** Default: from 1 to 30 minutes. */
  readonly backoff?: BackoffLimits | undefined
}

/** Slow, because every try counts against the lockout threshold of the service account. */
const BIND_BACKOFF: BackoffLimits = { firstMs: 60_000, longestMs: 1_800_000 }
/** Usual in practice, and on the safe side of what most domains set. */
const ASSUMED: BindLockout = { threshold: 5, windowMs: 1_800_000 }
// The account is the administrator's too: two tries are left for mistakes elsewhere.
const LEFT_FOR_OTHERS = 2
const MARGIN_MS = 2_000

interface Refusal {
  readonly error: WritebackError
  readonly untilMs: number
  /** Of the refused password, under a key that dies with this process. */
  readonly digest: Buffer
}

/** Makes the gate of one directory. */
export function createBindGate({ clock, readPassword, backoff: limits }: BindGateOptions): BindGate {
  const backoff = createBackoff(limits ?? BIND_BACKOFF)
  const key = randomBytes(32)
  const count = createRefusalCount(clock)
  let refusal: Refusal | undefined
  let last: Promise<unknown> = Promise.resolve()

  const check = async (): Promise<void> => {
    if (refusal !== undefined) (await admitted(refusal)).fill(0)
  }
  // The password that may be tried now.
  const admitted = async (since: Refusal | undefined): Promise<Buffer> => {
    const isDelayed = since !== undefined && clock.monotonicMs() < since.untilMs
    const password = await readPassword()
    // Another password is not held up by the delay of the refused one.
    const isSame = since?.digest.equals(digestOf(password, key)) ?? false
    if (since === undefined || !((isDelayed && isSame) || count.isSpent(isSame))) return password
    password.fill(0)
    throw since.error
  }
  const refused = (error: WritebackError, password: Buffer): void => {
    if (!(error instanceof BindRefused) || error.isCounted) count.note()
    refusal = {
      error,
      digest: digestOf(password, key),
      untilMs: clock.monotonicMs() + backoff.next(),
    }
  }
  const attempt = async <T>(bind: (password: Buffer) => Promise<T>): Promise<T> => {
    const password = await admitted(refusal)
    try {
      const result = await bind(password)
      refusal = undefined
      backoff.reset()
      count.reset()
      return result
    } catch (error) {
      if (error instanceof WritebackError && error.code === 'ERR_DIRECTORY_BIND_REFUSED')
        refused(error, password)
      throw error
    } finally {
      password.fill(0)
    }
  }
  return {
    check,
    learn: count.learn,
    run: (bind) => {
      const mine = last.then(() => attempt(bind))
      last = mine.catch(() => {})
      return mine
    },
  }
}

const digestOf = (password: Buffer, key: Buffer): Buffer =>
  createHmac('sha256', key).update(password).digest()

/**
 * Counts as the directory does: a refusal within the window of the one before adds to the count (MS-SAMR 3.1.1.7.1). The
 * last try that is allowed is kept for another password.
 */
function createRefusalCount(clock: Clock) {
  let lockout = ASSUMED
  let refusals = 0
  let lastMs = 0
  return {
    learn: (learned: BindLockout) => {
      lockout = learned
    },
    note: () => {
      if (clock.monotonicMs() - lastMs > lockout.windowMs + MARGIN_MS) refusals = 0
      refusals += 1
      lastMs = clock.monotonicMs()
    },
    reset: () => {
      refusals = 0
    },
    isSpent: (isSamePassword: boolean): boolean => {
      if (lockout.threshold === 0 || clock.monotonicMs() - lastMs > lockout.windowMs + MARGIN_MS) return false
      const most = Math.max(1, lockout.threshold - LEFT_FOR_OTHERS)
      return refusals >= (isSamePassword ? most - 1 : most)
    },
  }
}
