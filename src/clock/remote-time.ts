// What time it is on another machine, from readings of its clock and the two clocks of this host.
import type { Clock } from './clock.ts'

/** One reading of another machine's clock. Sent and answered are monotonic milliseconds of this host. */
export interface RemoteReading {
  readonly sentMs: number
  readonly answeredMs: number
  /** Milliseconds since 1970 there, at some moment between sent and answered; cut down to the resolution. */
  readonly timeMs: number
}

/** The other machine's clock as this host knows it. */
export interface RemoteTime {
  readonly observe: (reading: RemoteReading) => void
  /** True once there was a reading. */
  readonly isKnown: () => boolean
  /** Milliseconds since 1970 there, carried on by this host's monotonic clock, which stands still while a host sleeps. */
  readonly byMonotonicMs: () => number
  /** By how much `byMonotonicMs` may be wrong to either side, milliseconds; 0 before the first reading. */
  readonly doubtMs: () => number
  /** The same, carried on by the wall clock, which may be set. */
  readonly byWallMs: () => number
  /** How far the two clocks of this host went apart since the last reading that was kept, milliseconds, never negative. */
  readonly partedMs: () => number
}

// So long a good reading stands against worse ones: the drift of a quartz clock is a few milliseconds in this time.
const KEEP_MS = 60_000
// More than timers and a slewing clock make in that time.
const PARTED_MS = 100

interface Kept {
  readonly reading: RemoteReading
  readonly ofMonotonic: number
  readonly ofWall: number
  readonly doubtMs: number
}

/**
 * Starts without a reading. Of several readings within a minute the one with the smallest doubt is kept, so that a slow
 * answer does not spoil what a quick one told; a reading that contradicts it replaces it, and so does every reading after this
 * host's clocks went apart. `resolutionMs`: what the other machine cuts off the times that it tells.
 */
export function createRemoteTime(clock: Clock, { resolutionMs = 0 } = {}): RemoteTime {
  let kept: Kept | undefined
  const partedMs = () =>
    kept === undefined ? 0 : Math.abs(clock.monotonicMs() + kept.ofMonotonic - clock.wallMs() - kept.ofWall)
  const weigh = (reading: RemoteReading): Kept => {
    // Half of what is not known on either side: the answer was on its way, and the time was cut down.
    const doubtMs = (reading.answeredMs - reading.sentMs + resolutionMs) / 2
    const ofMonotonic = reading.timeMs + doubtMs - reading.answeredMs
    return { reading, doubtMs, ofMonotonic, ofWall: clock.monotonicMs() + ofMonotonic - clock.wallMs() }
  }
  const isBetter = (next: Kept): boolean =>
    kept === undefined ||
    next.doubtMs <= kept.doubtMs ||
    next.reading.answeredMs - kept.reading.answeredMs >= KEEP_MS ||
    partedMs() > PARTED_MS ||
    Math.abs(next.ofMonotonic - kept.ofMonotonic) > next.doubtMs + kept.doubtMs
  return {
    observe: (reading) => {
      const next = weigh(reading)
      if (isBetter(next)) kept = next
    },
    isKnown: () => kept !== undefined,
    byMonotonicMs: () => clock.monotonicMs() + (kept?.ofMonotonic ?? 0),
    doubtMs: () => kept?.doubtMs ?? 0,
    byWallMs: () => clock.wallMs() + (kept?.ofWall ?? 0),
    partedMs,
  }
}
