// What time it is at the directory server, from one reading of its clock and the two clocks of this host.
import type { Clock } from '../../clock/clock.ts'

/** The directory's clock as this agent knows it. */
export interface DirectoryTime {
  /** Milliseconds since 1970 at the directory. */
  readonly nowMs: () => number
  /** True when the directory must be asked again before its time is used. */
  readonly isOld: () => boolean
  /** True when the two clocks of this host do not agree any more: it slept, or its time was set. */
  readonly hasParted: () => boolean
  /** The directory has just said its time. */
  readonly set: (currentTimeMs: number) => void
}

const REFRESH_MS = 60_000
// The two clocks of a host part when it sleeps or its time is set: neither is right by itself then.
const MOST_PARTED_MS = 1_000

/** Starts with the first reading. */
export function createDirectoryTime(clock: Clock, firstMs: number): DirectoryTime {
  let readAtMs = 0
  let ahead = { ofMonotonic: 0, ofWall: 0 }
  const byMonotonic = () => clock.monotonicMs() + ahead.ofMonotonic
  const byWall = () => clock.wallMs() + ahead.ofWall
  const set = (currentTimeMs: number) => {
    readAtMs = clock.monotonicMs()
    ahead = { ofMonotonic: currentTimeMs - readAtMs, ofWall: currentTimeMs - clock.wallMs() }
  }
  const hasParted = () => Math.abs(byWall() - byMonotonic()) > MOST_PARTED_MS
  set(firstMs)
  return {
    isOld: () => clock.monotonicMs() - readAtMs >= REFRESH_MS || hasParted(),
    hasParted,
    // The monotonic clock stands still while the host sleeps.
    nowMs: () => Math.max(byMonotonic(), byWall()),
    set,
  }
}
