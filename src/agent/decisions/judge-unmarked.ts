// What an account without a marker tells of a write whose answer was lost. No version says who wrote it, so a change is
// never taken for our own here: only that nothing was written can be proven, or that a lockout is gone.
import { CLOCK_UNCERTAINTY_MS, type Operation } from '../../protocol/identifiers.ts'
import type { Account } from './account.ts'
import type { Doubt } from './judge-doubt.ts'

/**
 * `unapplied`: nothing of this request landed. `unlocked`: nothing is locked, which is what an unlock is for. `undecided`:
 * the account was changed since, by this request or by somebody else.
 */
export type UnmarkedVerdict = 'unapplied' | 'unlocked' | 'undecided'

/** The request as its effect is dated. `issuedAtMs`: by the directory's clock. */
export interface DatedRequest {
  readonly operation: Operation
  readonly issuedAtMs: number
}

/** Judges a read that was made after the quarantine: what was sent before can land no more. */
export function judgeUnmarked(account: Account, doubt: Doubt, request: DatedRequest): UnmarkedVerdict {
  const isOlder = (atMs: number) => atMs < request.issuedAtMs - CLOCK_UNCERTAINTY_MS
  if (request.operation === 'unlock') {
    if (!account.locked) return 'unlocked'
    // A lockout from before the request was issued would be gone.
    return account.lockedAtMs !== undefined && isOlder(account.lockedAtMs) ? 'unapplied' : 'undecided'
  }
  const now = account.passwordVersion
  if (now === undefined) return 'undecided'
  // Two writes of one second leave the same time.
  const isUntouched =
    now.counts !== 'seconds' &&
    doubt.earlier.length === 0 &&
    doubt.unanswered.every(({ passwordVersionBefore }) => passwordVersionBefore === now.version)
  return isUntouched || isOlder(now.changedAtMs) ? 'unapplied' : 'undecided'
}
