// How a request ends for an account that must not be written, by protection or scope.
import type { RequestDocument } from '../../protocol/request-document.ts'
import type { Account } from '../decisions/account.ts'
import type { Exclusion } from '../decisions/judge-protection.ts'
import type { WriterSession } from '../directory/directory.ts'
import { end, type Step } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

/** Refuses; where something cannot be read, a right is missing and nobody can tell whether the account is protected. */
export function endExcluded(
  parts: WritebackParts,
  work: Work<RequestDocument>,
  session: WriterSession,
  exclusion: Exclusion,
  { unreadable }: Pick<Account, 'unreadable'>,
): Step {
  const here = { server: session.server }
  if (exclusion !== 'unreadable') return end({ outcome: 'refused', reason: exclusion }, here)
  const detail = `the service account cannot read of the account: ${unreadable.join(', ')}`
  parts.conditions.raise('missing_right', work.document.directory, detail)
  return end({ outcome: 'failed', reason: 'missing_right' }, { ...here, detail })
}
