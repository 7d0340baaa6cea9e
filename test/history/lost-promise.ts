// What a restored store cannot keep: it lost the receipt of a write on one server, and tells the next agent nothing of it. On
// the same server the marker still stands in the way; on another one nothing does, until the first write has arrived there.
import type { History } from './index-history.ts'

/** One attempt: for which request, under which lease, on which server. */
export interface Attempt {
  readonly request: string | undefined
  readonly lease: number | undefined
  readonly server: string
}

/** When a promise of a request was lost: what the store took from `since` to `at`. */
export interface Forgetting {
  readonly since: number
  readonly at: number
}

/**
 * True when the store took the receipt of `earlier` and lost it, and handed out `later`, for another server, only then: nobody
 * could know. Whatever the store still knew, or one server could tell, excuses nothing.
 */
export function isPromiseLost(history: History, earlier: Attempt, later: Attempt): boolean {
  const lost = history.forgotten.get(earlier.request ?? '')
  if (!lost || earlier.server === later.server) return false
  const promised = history.requests
    .get(earlier.request ?? '')
    ?.receipts.find(
      ({ answer, lease, server }) =>
        answer === 'accepted' && lease === earlier.lease && server === earlier.server,
    )
  const handedOut = history.requests
    .get(later.request ?? '')
    ?.handedOut.find(({ lease }) => lease === later.lease)
  if (!promised || !handedOut) return false
  return lost.some(({ since, at }) => since <= promised.at && promised.at <= at && at < handedOut.at)
}
