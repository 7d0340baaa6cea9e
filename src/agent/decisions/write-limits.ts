// How many writes an agent lets through: per account and hour, per directory and minute, and how many in a burst before
// writing pauses until a person has looked. A store in the wrong hands does only so much damage.

/** The limits of one directory, from the agent's own configuration. */
export interface WriteLimits {
  readonly perAccountAndHour: number
  readonly perMinute: number
  /** So many writes within `burstWindowMs` open the breaker. */
  readonly burst: number
  readonly burstWindowMs: number
}

/** A write that was begun. `atMs`: store time, milliseconds since 1970. */
export interface BegunWrite {
  readonly account: string
  readonly atMs: number
}

/**
 * `free`: a write may begin. `account`: this account was written too often; `freeAtMs` says until when. `minute`: wait
 * so long. `burst`: the breaker opens.
 */
export type LimitVerdict =
  | { readonly kind: 'free' }
  | { readonly kind: 'account'; readonly freeAtMs: number }
  | { readonly kind: 'minute'; readonly waitMs: number }
  | { readonly kind: 'burst'; readonly count: number }

/** The writes of one directory that still count. */
export interface WriteCounts {
  /** Counts a write, and gives back how to take it off again when nothing was sent after all. */
  readonly note: (write: BegunWrite) => () => void
  readonly judge: (account: string, nowMs: number) => LimitVerdict
  /** What was counted until now is no burst: a person has looked at it. */
  readonly acknowledge: (nowMs: number) => void
  /** Other limits from now on, for what was counted until now as well. */
  readonly replace: (limits: WriteLimits) => void
}

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
// The longest window of a burst that a configuration may ask for, now or later.
const DAY_MS = 86_400_000

/** Counts from the writes that an earlier run of this agent began; `acknowledgedMs`: when a person last closed the breaker. */
export function createWriteCounts(
  first: WriteLimits,
  earlier: readonly BegunWrite[],
  acknowledgedMs = 0,
): WriteCounts {
  let limits = first
  const all = createTimes(DAY_MS)
  const byAccount = new Map<string, Times>()
  let burstFromMs = acknowledgedMs
  const note = ({ account, atMs }: BegunWrite) => {
    const own = byAccount.get(account) ?? createTimes(HOUR_MS)
    const undo = [all.add(atMs), own.add(atMs)]
    byAccount.set(account, own)
    if (byAccount.size > MOST_ACCOUNTS)
      for (const [name, times] of byAccount) if (times.since(atMs - HOUR_MS) === 0) byAccount.delete(name)
    return () => {
      for (const step of undo) step()
    }
  }
  for (const write of earlier.toSorted((a, b) => a.atMs - b.atMs)) note(write)
  return {
    note,
    replace: (others) => {
      limits = others
    },
    acknowledge: (nowMs) => {
      burstFromMs = nowMs
    },
    judge: (account, nowMs) => {
      // A clock that is set back must not shut the breaker out until it has caught up.
      burstFromMs = Math.min(burstFromMs, nowMs)
      const count = all.since(Math.max(nowMs - limits.burstWindowMs, burstFromMs))
      if (count >= limits.burst) return { kind: 'burst', count }
      const own = byAccount.get(account)
      if (own && own.since(nowMs - HOUR_MS) >= limits.perAccountAndHour)
        return { kind: 'account', freeAtMs: own.nthLast(limits.perAccountAndHour) + HOUR_MS }
      if (all.since(nowMs - MINUTE_MS) < limits.perMinute) return { kind: 'free' }
      return { kind: 'minute', waitMs: all.nthLast(limits.perMinute) + MINUTE_MS - nowMs }
    },
  }
}

// Only a store that asks for every account of a large domain gets here; the quiet ones are forgotten then.
const MOST_ACCOUNTS = 10_000

/** Moments in their order, of which those an hour older than `keptMs` are forgotten now and then. */
function createTimes(keptMs: number) {
  let times: number[] = []
  const firstAfter = (fromMs: number): number => {
    let low = 0
    let high = times.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((times[middle] ?? 0) > fromMs) high = middle
      else low = middle + 1
    }
    return low
  }
  return {
    /** A clock that was set back counts as standing still. Gives back how to take the moment out again. */
    add: (atMs: number) => {
      if ((times[0] ?? atMs) < atMs - keptMs - HOUR_MS) times = times.slice(firstAfter(atMs - keptMs))
      const added = Math.max(atMs, times.at(-1) ?? atMs)
      times.push(added)
      return () => {
        const at = times.lastIndexOf(added)
        if (at !== -1) times = times.toSpliced(at, 1)
      }
    },
    /** How many came after `fromMs`. */
    since: (fromMs: number) => times.length - firstAfter(fromMs),
    nthLast: (n: number) => times.at(-n) ?? 0,
  }
}
type Times = ReturnType<typeof createTimes>
