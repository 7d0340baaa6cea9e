// What time it is at the reset store, from its answers and this host's monotonic clock (contract, Time).
import type { Clock } from '../../clock/clock.ts'
import { createRemoteTime } from '../../clock/remote-time.ts'
import { LARGEST_CLOCK_SKEW_MS } from '../../protocol/identifiers.ts'

/** One answer that carried the store's time. Sent and answered are monotonic milliseconds of this host. */
export interface StoreTimeSample {
  readonly sentMs: number
  readonly answeredMs: number
  readonly storeTime: number
}

/** The store's time as this agent knows it. */
export interface StoreTime {
  readonly observe: (sample: StoreTimeSample) => void
  /** Milliseconds since 1970 at the store; this host's wall clock until the first sample. */
  readonly nowMs: () => number
  /**
   * The store's time by whichever clock of this host is behind: what is given up for good by it is not given up too soon
   * when the other one was set forward.
   */
  readonly earliestMs: () => number
  /** The store's time by the monotonic clock alone, for the comparison with another time that is kept the same way. */
  readonly byMonotonicMs: () => number
  /** By how much that may be wrong to either side, milliseconds. */
  readonly doubtMs: () => number
  /** Store time minus this host's wall time, in milliseconds; undefined until the first sample. */
  readonly offsetMs: () => number | undefined
  /** True when host and store differ by more than the contract tolerates: nothing may be written. */
  readonly isSkewed: () => boolean
  /**
   * True while an answer of the store is needed before anything may be written: there was none yet, or the two clocks of
   * this host parted since (it slept, or its time was set).
   */
  readonly isUncertain: () => boolean
  /**
   * False while the store's time may be compared with no other time to the contract's two seconds: the two clocks of this host
   * parted by more than a second since its last quick answer.
   */
  readonly isComparable: () => boolean
}

// A long poll says nothing about the moment the store stamped its answer, so only quick answers count.
const LONGEST_SAMPLE_MS = 1_000
const MOST_PARTED_MS = 1_000

/** Starts with the host's own clock and learns from the quick answers. */
export function createStoreTime(clock: Clock): StoreTime {
  const time = createRemoteTime(clock)
  // The monotonic clock stands still while a host sleeps, and the wall clock may be set: the later one is the safe one,
  // because what is taken for expired is not written.
  const pick = (of: (...times: readonly number[]) => number) =>
    time.isKnown() ? of(time.byMonotonicMs(), time.byWallMs()) : clock.wallMs()
  const nowMs = () => pick(Math.max)
  const offsetMs = () => (time.isKnown() ? Math.round(nowMs() - clock.wallMs()) : undefined)
  return {
    observe: ({ sentMs, answeredMs, storeTime: timeMs }) => {
      if (answeredMs - sentMs < LONGEST_SAMPLE_MS) time.observe({ sentMs, answeredMs, timeMs })
    },
    nowMs,
    earliestMs: () => pick(Math.min),
    byMonotonicMs: () => (time.isKnown() ? time.byMonotonicMs() : clock.wallMs()),
    doubtMs: time.doubtMs,
    offsetMs,
    isSkewed: () => Math.abs(offsetMs() ?? 0) > LARGEST_CLOCK_SKEW_MS,
    isUncertain: () => !time.isKnown() || time.partedMs() > LARGEST_CLOCK_SKEW_MS,
    isComparable: () => time.isKnown() && time.partedMs() <= MOST_PARTED_MS,
  }
}
