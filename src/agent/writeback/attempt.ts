// One modify as the journal knows it: its intent is durable before any byte is sent, its answer is kept afterwards.
import { formatMarker } from '../../protocol/marker.ts'
import type { Account } from '../decisions/account.ts'
import { versionAfterFence, versionAfterWrite } from '../decisions/judge-marker.ts'
import type { WriteAnswer } from '../decisions/write-answer.ts'
import type { WriterSession } from '../directory/directory.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

/** A modify that may be sent now. */
export interface Attempt {
  /** The marker it carries, never used before. */
  readonly markerAfter: string
  /** Keeps what became of it. */
  readonly close: (answer: WriteAnswer) => void
}

/** Journals the intent of a write or a fence. Throws ERR_JOURNAL_UNUSABLE; nothing may be sent then. */
export function beginAttempt(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
  kind: 'write' | 'fence',
): Attempt {
  const { id, store, sequence, operation } = work.document
  const { lease } = work.open
  const n = parts.journal.nextAttempt(id)
  const isWrite = kind === 'write'
  const flag = isWrite ? 'applied' : 'fenced'
  const writesPassword = isWrite && operation !== 'unlock'
  const passwordVersion = writesPassword
    ? versionAfterWrite(account, session.directoryNowMs())
    : versionAfterFence(account, store)
  const markerAfter = formatMarker({ store, sequence, requestId: id, flag, lease, n, passwordVersion })
  parts.journal.intent({
    ...{ requestId: id, n, lease, kind, markerAfter },
    server: session.server,
    markerBefore: account.marker,
    passwordVersionBefore: account.passwordVersion?.version,
    startedAtMs: Math.round(parts.storeTime.nowMs()),
    effect: isWrite ? operation : undefined,
  })
  const isUnheld = isWrite && operation === 'reset' && session.history !== 'enforced'
  return { markerAfter, close: (answer) => parts.journal.answer(id, n, describeAnswer(answer, isUnheld)) }
}

/** An answer as the journal keeps it. `isUnheld`: a reset that was not held to history, which its outcome must tell. */
function describeAnswer(answer: WriteAnswer, isUnheld: boolean): string {
  if (answer.kind === 'refused') return `refused:${answer.refusal.kind}:${answer.refusal.code}`
  return answer.kind === 'accepted' && isUnheld ? 'accepted:history_not_enforced' : answer.kind
}
