// Holds back what would be too much: per account, per directory, and with a breaker that only a person closes again. The
// journal remembers, so a restart forgets nothing.
import type { Conditions } from '../../telemetry/conditions.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { StoreTime } from '../decisions/store-time.ts'
import { createWriteCounts, type WriteCounts, type WriteLimits } from '../decisions/write-limits.ts'
import type { Journal } from '../journal/journal.ts'
import { end, type Step, wait } from './step.ts'

/** The limits of all directories. */
export interface Limits {
  /** True while the breaker of a directory is open: no write may begin. */
  readonly isStopped: (directory: string) => boolean
  /** The step that holds a write of this account back; undefined: it may begin. Opens the breaker on a burst. */
  readonly find: (directory: string, account: string) => Step | undefined
  /** Counts a write that begins; gives back how to take it off again when nothing was sent after all. */
  readonly note: (directory: string, account: string) => () => void
  /** Closes the breaker of a directory; false: it was not open. Throws ERR_JOURNAL_UNUSABLE. */
  readonly closeBreaker: (directory: string) => boolean
  /** Other limits of a directory from now on, held against all that was counted until now. */
  readonly change: (directory: string, limits: WriteLimits) => void
}

/** What the limits are kept with. */
export interface LimitParts {
  readonly journal: Pick<Journal, 'recentWrites' | 'get' | 'set'>
  readonly storeTime: StoreTime
  readonly conditions: Conditions
  readonly log: Logger
}

const LONGEST_LOOK_MS = 5_000
const DAY_MS = 86_400_000

/** Makes the limits, from what the journal remembers. `limits`: by directory. */
export function createLimits(parts: LimitParts, limits: ReadonlyMap<string, WriteLimits>): Limits {
  const { journal, storeTime, conditions, log } = parts
  const nowMs = () => Math.round(storeTime.nowMs())
  const openKey = (directory: string) => `breaker open ${directory}`
  const closedKey = (directory: string) => `breaker closed ${directory}`
  const stopped = new Set<string>()
  const counts = new Map<string, WriteCounts>()
  const stop = (directory: string) => {
    stopped.add(directory)
    const detail = `writing is stopped after a burst; close it with: writeback breaker close ${directory}`
    conditions.raise('breaker_open', directory, detail)
  }
  const load = () => {
    // A clock that was ahead when they were journaled must not hold the limits up until then.
    const startMs = nowMs()
    const begun = journal
      .recentWrites(startMs - DAY_MS)
      .map((one) => ({ ...one, atMs: Math.min(one.atMs, startMs) }))
    const earlier = Map.groupBy(begun, ({ directory }) => directory)
    for (const [directory, own] of limits) {
      const closedAtMs = Math.min(Number(journal.get(closedKey(directory)) ?? 0), startMs)
      counts.set(directory, createWriteCounts(own, earlier.get(directory) ?? [], closedAtMs))
    }
  }
  load()
  for (const directory of limits.keys()) if (journal.get(openKey(directory)) !== undefined) stop(directory)
  return {
    isStopped: (directory) => stopped.has(directory),
    note: (directory, account) => counts.get(directory)?.note({ account, atMs: nowMs() }) ?? (() => {}),
    find: (directory, account) => {
      const verdict = counts.get(directory)?.judge(account, nowMs()) ?? { kind: 'free' }
      if (verdict.kind === 'free') return undefined
      if (verdict.kind === 'account') return refuse(verdict.freeAtMs)
      if (verdict.kind === 'minute') return wait(Math.min(LONGEST_LOOK_MS, Math.max(1, verdict.waitMs)))
      journal.set(openKey(directory), String(nowMs()))
      log.error('too many writes within the window: the breaker opens', { directory, count: verdict.count })
      stop(directory)
      return wait(LONGEST_LOOK_MS)
    },
    change: (directory, own) => counts.get(directory)?.replace(own),
    closeBreaker: (directory) => {
      if (!stopped.has(directory)) return false
      const now = nowMs()
      journal.set(closedKey(directory), String(now))
      journal.set(openKey(directory), undefined)
      stopped.delete(directory)
      counts.get(directory)?.acknowledge(now)
      conditions.clear('breaker_open', directory)
      log.warn('the breaker is closed, writing goes on', { directory })
      return true
    },
  }
}

function refuse(freeAtMs: number): Step {
  const until = new Date(freeAtMs).toISOString()
  const detail = `this account was written too often within the hour; the next write may begin at ${until}`
  return end({ outcome: 'refused', reason: 'too_many_attempts' }, { detail })
}
