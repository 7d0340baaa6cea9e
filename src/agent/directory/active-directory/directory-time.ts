// What time it is at the domain controller, from its root entry.
import type { Clock } from '../../../clock/clock.ts'
import { createRemoteTime, type RemoteReading } from '../../../clock/remote-time.ts'

/** The directory's clock as this agent knows it. */
export interface DirectoryTime {
  /** Milliseconds since 1970 at the directory, by the monotonic clock. */
  readonly nowMs: () => number
  /** By how much that may be wrong to either side, milliseconds. */
  readonly doubtMs: () => number
  /** True when the directory must be asked again before its time is used. */
  readonly isOld: () => boolean
  /** The directory has just said its time. */
  readonly observe: (reading: RemoteReading) => void
}

// currentTime is told in whole seconds.
const RESOLUTION_MS = 1_000
const REFRESH_MS = 60_000
// The two clocks of a host part when it sleeps or its time is set: neither is right by itself then.
const MOST_PARTED_MS = 1_000
// Of an answer that took a second.
const MOST_DOUBT_MS = 1_000

/** Starts with the first reading. */
export function createDirectoryTime(clock: Clock, first: RemoteReading): DirectoryTime {
  const time = createRemoteTime(clock, { resolutionMs: RESOLUTION_MS })
  let readAtMs = 0
  const observe = (reading: RemoteReading) => {
    readAtMs = reading.answeredMs
    time.observe(reading)
  }
  observe(first)
  return {
    nowMs: time.byMonotonicMs,
    doubtMs: time.doubtMs,
    isOld: () =>
      clock.monotonicMs() - readAtMs >= REFRESH_MS ||
      time.partedMs() > MOST_PARTED_MS ||
      time.doubtMs() > MOST_DOUBT_MS,
    observe,
  }
}
