// What time it is on another machine, from readings of its clock and the two clocks of this host.
import type { Clock } from './clock.ts'

/** One reading of another machine's clock. Sent and answered are monotonic milliseconds of this host. */
export interface RemoteReading {
  readonly sentMs: number
  readonly answeredMs: number
  /** Milliseconds since 1970 there, at some moment between sent and answered. */
  readonly timeMs: number
  /** What the other machine cuts off the times that it tells; left out: nothing. */
  readonly resolutionMs?: number
}

/** The other machine's clock as this host knows it. */
export interface RemoteTime {
  readonly observe: (reading: RemoteReading) => void
  /** What was observed so far is worth nothing any more. */
  readonly forget: () => void
  /** True once there was a reading. */
  readonly isKnown: () => boolean
  /** Milliseconds since 1970 there, carried on by this host's monotonic clock, which stands still while a host sleeps. */
  readonly byMonotonicMs: () => number
  /** By how much `byMonotonicMs` may be wrong to either side, milliseconds; 0 before the first reading. */
  readonly doubtMs: () => number
  /** The same time, carried on by the wall clock, which may be set. */
  readonly byWallMs: () => number
  /** How far the two clocks of this host went apart since the last reading, milliseconds, never negative. */
  readonly partedMs: () => number
}

// More than timers and a slewing clock make between two readings.
const PARTED_MS = 100
// By as much two quartz clocks may run apart.
const DRIFT = 0.0002

/** Between which two values the other clock minus this host's monotonic clock lies. */
interface Known {
  readonly atLeast: number
  readonly atMost: number
  readonly answeredMs: number
  /** This host's monotonic clock minus its wall clock then. */
  readonly hostMs: number
}

/**
 * Starts without a reading. Readings narrow each other down: each says between which two moments the other clock stood, because its
 * answer was on its way and its time was cut down. One that contradicts what is known replaces it (that clock was set), and so
 * does every reading after this host's clocks went apart.
 */
export function createRemoteTime(clock: Clock): RemoteTime {
  let known: Known | undefined
  const hostMs = () => clock.monotonicMs() - clock.wallMs()
  const partedMs = () => (known === undefined ? 0 : Math.abs(hostMs() - known.hostMs))
  const middle = () => (known === undefined ? 0 : (known.atLeast + known.atMost) / 2)
  return {
    observe: (reading) => {
      const told = { ...boundsOf(reading), answeredMs: reading.answeredMs, hostMs: hostMs() }
      known = known === undefined || partedMs() > PARTED_MS ? told : narrow(known, told)
    },
    forget: () => {
      known = undefined
    },
    isKnown: () => known !== undefined,
    byMonotonicMs: () => clock.monotonicMs() + middle(),
    doubtMs: () => (known === undefined ? 0 : (known.atMost - known.atLeast) / 2),
    byWallMs: () => clock.wallMs() + middle() + (known?.hostMs ?? 0),
    partedMs,
  }
}

const boundsOf = ({ sentMs, answeredMs, timeMs, resolutionMs = 0 }: RemoteReading) => ({
  atLeast: timeMs - answeredMs,
  atMost: timeMs - sentMs + resolutionMs,
})

function narrow(known: Known, told: Known): Known {
  const driftMs = Math.abs(told.answeredMs - known.answeredMs) * DRIFT
  const atLeast = Math.max(known.atLeast - driftMs, told.atLeast)
  const atMost = Math.min(known.atMost + driftMs, told.atMost)
  return atLeast <= atMost ? { ...told, atLeast, atMost } : told
}
