// What time it is at the directory server, from readings of its clock.
import type { Clock } from '../../clock/clock.ts'
import { createRemoteTime, type RemoteReading } from '../../clock/remote-time.ts'

/** The directory's clock as this agent knows it. */
export interface DirectoryTime {
  /** Milliseconds since 1970 at the directory, by the monotonic clock; this host's wall clock until it was told. */
  readonly nowMs: () => number
  /** By how much that may be wrong to either side, milliseconds, as far as is known. */
  readonly doubtMs: () => number
  /** True when the directory must be asked again before its time is used. */
  readonly isOld: () => boolean
  /** The directory was asked and has said its time; `undefined`: it does not tell. */
  readonly asked: (reading: RemoteReading | undefined) => void
  /** The directory has told its time by the way: that does not replace asking it. */
  readonly learn: (reading: RemoteReading) => void
}

const REFRESH_MS = 60_000
// The two clocks of a host part when it sleeps or its time is set: neither is right by itself then.
const MOST_PARTED_MS = 1_000
// Of an answer that took a second.
const MOST_DOUBT_MS = 1_000

/** Starts with what was told first. */
export function createDirectoryTime(clock: Clock, first: RemoteReading | undefined): DirectoryTime {
  const time = createRemoteTime(clock)
  let askedAtMs = 0
  const asked = (reading: RemoteReading | undefined) => {
    askedAtMs = clock.monotonicMs()
    if (reading !== undefined) time.observe(reading)
    // What was learned by the way is wrong now, and nobody tells anew.
    else if (time.partedMs() > MOST_PARTED_MS) time.forget()
  }
  asked(first)
  return {
    nowMs: () => (time.isKnown() ? time.byMonotonicMs() : clock.wallMs()),
    doubtMs: time.doubtMs,
    isOld: () =>
      clock.monotonicMs() - askedAtMs >= REFRESH_MS ||
      time.partedMs() > MOST_PARTED_MS ||
      time.doubtMs() > MOST_DOUBT_MS,
    asked,
    learn: time.observe,
  }
}
