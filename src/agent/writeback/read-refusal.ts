// What the directory's refusal of a write means for the request.
import { CLOCK_UNCERTAINTY_MS } from '../../protocol/identifiers.ts'
import type { Account } from '../decisions/account.ts'
import { findRefusal } from '../decisions/judge-account.ts'
import { meaningOf } from '../decisions/read-refusal.ts'
import type { DirectoryRefusal } from '../decisions/write-answer.ts'
import type { WriterSession } from '../directory/directory.ts'
import type { BrokenRule } from './check-password.ts'
import { endExcluded } from './end-excluded.ts'
import { lacksMarkerRight } from './marker-right.ts'
import { AGAIN, end, type Step, wait } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

const LOOK_MS = { first: 1_000, longest: 15_000 }
// The account changed between read and write: a race ends after a round or two.
const MOST_RACES = 3

/** The step after a refusal. `broken`: what explains a refused password. Throws what reading the account throws. */
export async function readRefusal(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
  refusal: DirectoryRefusal,
  broken: BrokenRule | undefined,
): Promise<Step> {
  const { kind, code, hex, diagnostic } = refusal
  const meaning = meaningOf(kind)
  work.log.info('the directory refused the write', { kind, resultCode: code, hex, diagnostic })
  const refusedBefore = countRefused(work)
  if (meaning === 'again' && refusedBefore < MOST_RACES) return AGAIN
  // These count against no limit, so the pause is what keeps them few.
  if (meaning === 'again' || meaning === 'later') return wait(pauseMs(parts, work, refusedBefore))
  if (kind === 'missing_right') return readMissingRight(parts, work, session, account, diagnostic)
  const here = { server: session.server, marker: account.marker, detail: diagnostic }
  if (!broken) return end(meaning, here)
  const { reason, rule, policy } = broken
  return end({ outcome: 'refused', reason }, { ...here, rule, policy })
}

/** Growing, and no longer than the request lives: its end must not be told late. */
function pauseMs({ storeTime }: WritebackParts, { document }: Work, refusedBefore: number): number {
  const leftMs = document.expiresAt - CLOCK_UNCERTAINTY_MS - storeTime.nowMs()
  const growing = Math.min(LOOK_MS.longest, LOOK_MS.first * 2 ** refusedBefore)
  return Math.max(LOOK_MS.first, Math.min(growing, leftMs))
}

/** How many of the newest attempts in a row the directory refused. */
const countRefused = ({ tried }: Work): number =>
  tried.length - 1 - tried.findLastIndex(({ answer }) => !answer?.startsWith('refused:'))

/** An account that was moved out of scope, or became protected, after it was read loses the granted right as well. */
async function readMissingRight(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  before: Account,
  diagnostic: string,
): Promise<Step> {
  const { document } = work
  const account = await session.readAccount(document.subject, document.operation, { markerRight: true })
  const here = { server: session.server, detail: diagnostic }
  if (account === undefined) return end({ outcome: 'refused', reason: 'account_not_found' }, here)
  if (account === 'ambiguous') return end({ outcome: 'refused', reason: 'account_ambiguous' }, here)
  const refusal = findRefusal(account, document, session.rules)
  if (refusal === 'unreadable') return endExcluded(parts, work, session, refusal, account)
  if (refusal) return end({ outcome: 'refused', reason: refusal }, here)
  // The next round knows it, and ends the request or writes without the marker.
  if (lacksMarkerRight(parts, document.directory, account) && before.markerRight?.held !== false) return AGAIN
  parts.conditions.raise('missing_right', document.directory, diagnostic)
  return end({ outcome: 'failed', reason: 'missing_right' }, here)
}
