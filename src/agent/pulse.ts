// Whether the parts of the agent still move: each says so again and again, and one that is silent for too long is told by name.
// What the agent waits for (store, directory, Redis) may be away as long as it likes: a part that tries again moves.
import type { Clock } from '../clock/clock.ts'

/** How long each part may be silent, milliseconds. */
const LONGEST_SILENCE_MS = {
  // Jobs of every five seconds, which may wait for one call to the store.
  schedule: 60_000,
  // A long poll, its rest after failures, and the receipts of what it took.
  intake: 180_000,
} as const

/** A part that is listened to. */
export type PulsePart = keyof typeof LONGEST_SILENCE_MS

/** The heartbeats of one agent. */
export interface Pulse {
  readonly beat: (part: PulsePart) => void
  /** Parts that have been silent for too long; one that never began is not among them. */
  readonly silent: () => readonly PulsePart[]
}

/** Makes a pulse without a beat yet. */
export function createPulse(clock: Pick<Clock, 'monotonicMs'>): Pulse {
  const beats = new Map<PulsePart, number>()
  return {
    beat: (part) => beats.set(part, clock.monotonicMs()),
    silent: () =>
      [...beats].flatMap(([part, atMs]) =>
        clock.monotonicMs() - atMs > LONGEST_SILENCE_MS[part] ? [part] : [],
      ),
  }
}
