// The store's switch that stops all writing, as its answers tell of it.
import type { Conditions } from '../telemetry/conditions.ts'

/** What one answer of the store says. */
export interface PauseTold {
  readonly paused: boolean
  /** Stamped at sending, milliseconds since 1970. */
  readonly storeTime: number
}

/** The switch as this agent knows it. */
export interface Pause {
  readonly isPaused: () => boolean
  readonly setPaused: (told: PauseTold) => void
}

// No call to the store lasts longer, so what is older than that is no late answer: the store's clock was set back.
const LATE_MS = 60_000

/** Not paused before the first answer. An answer that was overtaken by a newer one does not lift a pause. */
export function createPause(conditions: Pick<Conditions, 'raise' | 'clear'>): Pause {
  let paused = false
  let pausedAt = Number.NEGATIVE_INFINITY
  return {
    isPaused: () => paused,
    setPaused: (told) => {
      const isLate = !told.paused && told.storeTime < pausedAt && pausedAt - told.storeTime <= LATE_MS
      if (isLate) return
      paused = told.paused
      if (paused) pausedAt = told.storeTime
      if (paused) conditions.raise('paused', '', 'the reset store has paused writing')
      else conditions.clear('paused', '')
    },
  }
}
