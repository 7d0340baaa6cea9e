// What time it is at the reset store, from its answers and this host's monotonic clock (contract, Time).
import type { Clock } from '../../clock/clock.ts'
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
  /** Store time minus this host's wall time, in milliseconds; undefined until the first sample. */
  readonly offsetMs: () => number | undefined
  /** True when host and store differ by more than the contract tolerates: nothing may be written. */
  readonly isSkewed: () => boolean
  /**
   * True while an answer of the store is needed before anything may be written: there was none yet, or the two clocks of
   * this host parted since (it slept, or its time was set).
   */
  readonly isUncertain: () => boolean
}

// A long poll says nothing about the moment the store stamped its answer, so only quick answers count.
const LONGEST_SAMPLE_MS = 1_000

/** Starts with the host's own clock and learns from every quick answer. */
export function createStoreTime(clock: Clock): StoreTime {
  let ahead: { readonly ofMonotonic: number; readonly ofWall: number } | undefined
  // The monotonic clock stands still while a host sleeps, and the wall clock may be set: the later one is the safe one,
  // because what is taken for expired is not written.
  const byMonotonic = () => (ahead === undefined ? clock.wallMs() : clock.monotonicMs() + ahead.ofMonotonic)
  const byWall = () => clock.wallMs() + (ahead?.ofWall ?? 0)
  const nowMs = () => Math.max(byMonotonic(), byWall())
  const offsetMs = () => (ahead === undefined ? undefined : Math.round(nowMs() - clock.wallMs()))
  return {
    observe: ({ sentMs, answeredMs, storeTime }) => {
      if (answeredMs - sentMs >= LONGEST_SAMPLE_MS) return
      const ofMonotonic = storeTime - (sentMs + answeredMs) / 2
      ahead = { ofMonotonic, ofWall: clock.monotonicMs() + ofMonotonic - clock.wallMs() }
    },
    nowMs,
    earliestMs: () => Math.min(byMonotonic(), byWall()),
    offsetMs,
    isSkewed: () => Math.abs(offsetMs() ?? 0) > LARGEST_CLOCK_SKEW_MS,
    isUncertain: () => ahead === undefined || Math.abs(byMonotonic() - byWall()) > LARGEST_CLOCK_SKEW_MS,
  }
}
