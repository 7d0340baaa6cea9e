// What the directory's refusal of a reset means for its outcome.
import type { FailureReason, RefusalReason } from '../../protocol/codes.ts'
import type { RefusalKind } from './write-answer.ts'

/** The outcome that a refusal leads to; `again`: read and decide anew; `later`: try again when the server can. */
export type RefusalMeaning =
  | { readonly outcome: 'refused'; readonly reason: RefusalReason }
  | { readonly outcome: 'failed'; readonly reason: FailureReason }
  | 'again'
  | 'later'

const MEANINGS: Readonly<Record<RefusalKind, RefusalMeaning>> = {
  password_policy: { outcome: 'refused', reason: 'password_policy' },
  wrong_current_password: { outcome: 'refused', reason: 'wrong_current_password' },
  account_locked: { outcome: 'refused', reason: 'account_locked' },
  change_not_permitted: { outcome: 'refused', reason: 'change_not_permitted' },
  account_not_found: { outcome: 'refused', reason: 'account_not_found' },
  missing_right: { outcome: 'failed', reason: 'missing_right' },
  malformed_value: { outcome: 'failed', reason: 'internal' },
  unexpected: { outcome: 'failed', reason: 'internal' },
  compare_failed: 'again',
  // The session chose the control or the server from what it knew; the next one looks again.
  control_unavailable: 'later',
  read_only: 'later',
  busy: 'later',
  not_bound: 'later',
}

/** Looks a refusal up in the table. */
export const meaningOf = (kind: RefusalKind): RefusalMeaning => MEANINGS[kind]
