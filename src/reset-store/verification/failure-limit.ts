// Counts failures per address within a sliding time, and forgets addresses by itself.
import type { Clock } from '../../clock/clock.ts'

/** A bound on failures. */
export interface FailureLimit {
  readonly isReached: (address: string) => boolean
  readonly count: (address: string) => void
}

const MOST_ADDRESSES = 10_000

/** Makes a limit of `most` failures within `withinMs`. */
export function createFailureLimit(
  limit: { readonly most: number; readonly withinMs: number },
  clock: Clock,
): FailureLimit {
  const failures = new Map<string, number[]>()
  const recent = (address: string): number[] => {
    const since = clock.monotonicMs() - limit.withinMs
    return (failures.get(address) ?? []).filter((at) => at > since)
  }
  return {
    isReached: (address) => recent(address).length >= limit.most,
    count: (address) => {
      const times = [...recent(address), clock.monotonicMs()]
      failures.delete(address)
      failures.set(address, times)
      const [oldest] = failures.keys()
      if (failures.size > MOST_ADDRESSES && oldest !== undefined) failures.delete(oldest)
    },
  }
}
