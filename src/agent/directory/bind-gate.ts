// Keeps a wrong service password from locking the service account: one bind at a time, after a refusal none with the same
// password until the delay has passed, whoever asks, and never so many that the directory's lockout comes near.
import { createHmac, randomBytes } from 'node:crypto'
import { z } from 'zod'
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

/** Where the refusals of a directory are kept, so that a restart does not begin to count anew. */
export interface RefusalMemory {
  /** What was written last; undefined: nothing, or it cannot be read. */
  readonly read: () => string | undefined
  /** undefined: there is nothing to keep any more. Never throws. */
  readonly write: (refusals: string | undefined) => void
}

/** What a gate is made of. `readPassword` gives a fresh Buffer each time. */
export interface BindGateOptions {
  readonly clock: Clock
  readonly readPassword: () => Promise<Buffer>
  /** Default: from 1 to 30 minutes. */
  readonly backoff?: BackoffLimits | undefined
  /** Default: this process alone. */
  readonly memory?: RefusalMemory | undefined
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
export function createBindGate({ clock, readPassword, backoff: limits, memory }: BindGateOptions): BindGate {
  const backoff = createBackoff(limits ?? BIND_BACKOFF)
  const key = randomBytes(32)
  const count = createRefusalCount(clock, memory)
  let refusal: Refusal | undefined
  let last: Promise<unknown> = Promise.resolve()

  const check = async (): Promise<void> => {
    if (refusal !== undefined || count.isSpent(false)) (await admitted(refusal)).fill(0)
  }
  // The password that may be tried now.
  const admitted = async (since: Refusal | undefined): Promise<Buffer> => {
    const isDelayed = since !== undefined && clock.monotonicMs() < since.untilMs
    const password = await readPassword()
    // Another password is not held up by the delay of the refused one.
    const isSame = since?.digest.equals(digestOf(password, key)) ?? false
    if (!((isDelayed && isSame) || count.isSpent(isSame))) return password
    password.fill(0)
    throw since?.error ?? refusedBefore()
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

const refusedBefore = (): WritebackError =>
  new WritebackError(
    'ERR_DIRECTORY_BIND_REFUSED',
    'the service account was refused before this start, so often that one more bind could lock it: it is tried again when the directory has forgotten them',
    { retry: 'later' },
  )

const digestOf = (password: Buffer, key: Buffer): Buffer =>
  createHmac('sha256', key).update(password).digest()

/**
 * Counts as the directory does: a refusal within the window of the one before adds to the count (MS-SAMR 3.1.1.7.1). The
 * last try that is allowed is kept for another password.
 */
function createRefusalCount(clock: Clock, memory: RefusalMemory | undefined) {
  let lockout = ASSUMED
  let known: Refusals | undefined
  // Read at the first use: what keeps them may not be open before.
  const kept = (): Refusals => {
    known ??= recall(memory?.read(), clock)
    return known
  }
  const isOver = () => clock.monotonicMs() - kept().lastMs > lockout.windowMs + MARGIN_MS
  return {
    learn: (learned: BindLockout) => {
      lockout = learned
    },
    note: () => {
      known = { refusals: (isOver() ? 0 : kept().refusals) + 1, lastMs: clock.monotonicMs() }
      memory?.write(JSON.stringify({ refusals: known.refusals, lastWallMs: clock.wallMs() }))
    },
    reset: () => {
      if (kept().refusals > 0) memory?.write(undefined)
      known = { refusals: 0, lastMs: Number.NEGATIVE_INFINITY }
    },
    isSpent: (isSamePassword: boolean): boolean => {
      if (lockout.threshold === 0 || isOver()) return false
      const most = Math.max(1, lockout.threshold - LEFT_FOR_OTHERS)
      return kept().refusals >= (isSamePassword ? most - 1 : most)
    },
  }
}

interface Refusals {
  readonly refusals: number
  /** Of the last one, by the monotonic clock of this process. */
  readonly lastMs: number
}

const rememberedSchema = z.strictObject({ refusals: z.int().min(0), lastWallMs: z.number() })

function recall(text: string | undefined, clock: Clock): Refusals {
  const remembered = text === undefined ? undefined : rememberedSchema.safeParse(JSON.parse(text)).data
  if (remembered === undefined) return { refusals: 0, lastMs: Number.NEGATIVE_INFINITY }
  // A wall clock that was set back makes it no older.
  const agoMs = Math.max(0, clock.wallMs() - remembered.lastWallMs)
  return { refusals: remembered.refusals, lastMs: clock.monotonicMs() - agoMs }
}
