// The switches that stop all writing: the store's, as its answers tell of it, and the one of this host, which holds whatever the
// store says.
import type { Conditions } from '../telemetry/conditions.ts'
import type { Journal } from './journal/journal.ts'

/** What one answer of the store says. */
export interface PauseTold {
  readonly paused: boolean
  /** Stamped at sending, milliseconds since 1970. */
  readonly storeTime: number
}

/** Who stopped writing on this host, and when: wall time, milliseconds since 1970. */
export interface PauseHere {
  readonly by: string
  readonly at: number
}

/** The switches as this agent knows them. */
export interface Pause {
  readonly isPaused: () => boolean
  readonly setPaused: (told: PauseTold) => void
  readonly isPausedByStore: () => boolean
  readonly pausedHere: () => PauseHere | undefined
  /** Stops writing here; kept over restarts. Who was first stays. Throws ERR_JOURNAL_UNUSABLE. */
  readonly pauseHere: (by: string) => void
  /** Takes that back. Throws ERR_JOURNAL_UNUSABLE. */
  readonly resumeHere: (by: string) => void
}

/** What the switches are kept with. */
export interface PauseParts {
  readonly conditions: Pick<Conditions, 'raise' | 'clear'>
  readonly journal: Pick<Journal, 'get' | 'operate'>
  readonly clock: { readonly wallMs: () => number }
}

// No call to the store lasts longer, so what is older than that is no late answer: the store's clock was set back.
const LATE_MS = 60_000
const KEY = 'paused here'

/** The store's is off before its first answer. An answer that was overtaken by a newer one does not lift a pause. */
export function createPause({ conditions, journal, clock }: PauseParts): Pause {
  let isStorePaused = false
  let pausedAt = Number.NEGATIVE_INFINITY
  let here = readHere(journal.get(KEY))
  const tell = () => {
    const who = [
      ...(here ? [`${here.by} has paused writing on this host`] : []),
      ...(isStorePaused ? ['the reset store has paused writing'] : []),
    ]
    if (who.length > 0) conditions.raise('paused', '', who.join('; '))
    else conditions.clear('paused', '')
  }
  const operate = (action: 'pause' | 'resume', by: string, next: PauseHere | undefined) => {
    const value = next && JSON.stringify(next)
    const time = new Date(clock.wallMs()).toISOString()
    const actor = { kind: 'operator', name: by } as const
    journal.operate({ kind: 'operator', time, action, actor, request: null }, { key: KEY, value })
    here = next
    tell()
  }
  if (here) tell()
  return {
    isPaused: () => isStorePaused || here !== undefined,
    isPausedByStore: () => isStorePaused,
    pausedHere: () => here,
    setPaused: (told) => {
      const isLate = !told.paused && told.storeTime < pausedAt && pausedAt - told.storeTime <= LATE_MS
      if (isLate) return
      isStorePaused = told.paused
      if (isStorePaused) pausedAt = told.storeTime
      tell()
    },
    pauseHere: (by) => {
      if (!here) operate('pause', by, { by, at: clock.wallMs() })
    },
    resumeHere: (by) => {
      if (here) operate('resume', by, undefined)
    },
  }
}

const readHere = (text: string | undefined): PauseHere | undefined =>
  text === undefined ? undefined : JSON.parse(text)
