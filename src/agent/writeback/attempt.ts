// One modify as the journal knows it: its intent is durable before any byte is sent, its answer is kept afterwards.
import type { Operation } from '../../protocol/identifiers.ts'
import { formatMarker } from '../../protocol/marker.ts'
import type { Account } from '../decisions/account.ts'
import { noticesFor } from '../decisions/judge-account.ts'
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
  withoutMarker = false,
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
    notices: isWrite ? noticesFor(unlocked(account, operation), work.document, session.history) : [],
    ...(withoutMarker ? { withoutMarker } : {}),
  })
  return { markerAfter, close: (answer) => parts.journal.answer(id, n, describeAnswer(answer)) }
}

// A write that lands leaves no lockout behind; what came after it is looked at when there is time for that.
const unlocked = (account: Account, operation: Operation): Account =>
  operation === 'unlock' ? { ...account, locked: false } : account

/** An answer as the journal keeps it. */
const describeAnswer = (answer: WriteAnswer): string =>
  answer.kind === 'refused' ? `refused:${answer.refusal.kind}:${answer.refusal.code}` : answer.kind
