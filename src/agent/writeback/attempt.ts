// One modify as the journal knows it: its intent is durable before any byte is sent, its answer is kept afterwards.
import { isRetryable } from '../../errors/writeback-error.ts'
import type { Operation } from '../../protocol/identifiers.ts'
import { formatMarker } from '../../protocol/marker.ts'
import { errorFields } from '../../telemetry/logger.ts'
import type { Account } from '../decisions/account.ts'
import { eventsOf, type IntentEntry, resultOf } from '../decisions/audit-entry.ts'
import { noticesFor } from '../decisions/judge-account.ts'
import { versionAfterFence, versionAfterWrite } from '../decisions/judge-marker.ts'
import type { WriteAnswer } from '../decisions/write-answer.ts'
import type { WriterSession } from '../directory/directory.ts'
import type { Intent } from '../journal/journal.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

/** A modify that may be sent now. */
export interface Attempt {
  /** The marker it carries, never used before. */
  readonly markerAfter: string
  /** True when its intent is on the disk, in the journal and in the audit record; else nothing may be sent. */
  readonly isKept: () => Promise<boolean>
  /** Keeps what became of it. */
  readonly close: (answer: WriteAnswer) => void
}

/** Journals the intent of a write or a fence; nothing may be sent before it `isKept`. Throws ERR_JOURNAL_UNUSABLE. */
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
  const intent: Intent = {
    ...{ requestId: id, n, lease, kind, markerAfter },
    server: session.server,
    markerBefore: account.marker,
    passwordVersionBefore: account.passwordVersion?.version,
    startedAtMs: Math.round(parts.storeTime.nowMs()),
    effect: isWrite ? operation : undefined,
    notices: isWrite ? noticesFor(unlocked(account, operation), work.document, session.history) : [],
    ...(withoutMarker ? { withoutMarker } : {}),
  }
  const told = tellIntent(parts, work, session, account, intent)
  const entry = parts.journal.intent(intent, told)
  return {
    markerAfter,
    isKept: async () => (await isDurable(parts, work)) && parts.audit.reached(entry),
    close: (answer) => keepAnswer(parts, intent, answer, told),
  }
}

async function isDurable({ journal }: WritebackParts, work: Work): Promise<boolean> {
  try {
    await journal.durable()
    return true
  } catch (error) {
    if (!isRetryable(error)) throw error
    work.log.error('an intent is not on the disk, so nothing is sent', errorFields(error))
    return false
  }
}

function keepAnswer(
  { journal, clock }: WritebackParts,
  { requestId, n }: Intent,
  answer: WriteAnswer,
  told: IntentEntry,
): void {
  const text = describeAnswer(answer)
  journal.answer(requestId, n, text, resultOf(told, text, clock.wallMs()))
}

function tellIntent(
  { clock }: WritebackParts,
  { document }: Work,
  session: WriterSession,
  account: Account,
  { requestId, n, lease, effect, markerAfter, withoutMarker }: Intent,
): IntentEntry {
  const action = effect ?? 'fence'
  const unlocks = document.operation === 'reset' && document.options.unlock && account.locked
  return {
    ...{
      kind: 'intent',
      time: new Date(clock.wallMs()).toISOString(),
      request: requestId,
      attempt: n,
      lease,
    },
    ...{ directory: document.directory, action, server: session.server, url: session.url },
    directoryTime: new Date(session.directoryNowMs()).toISOString(),
    marker: withoutMarker ? null : markerAfter,
    account: {
      anchor: document.subject.anchor,
      objectGuid: account.objectGuid,
      sid: account.sid ?? null,
      name: account.name,
    },
    actor: document.actor,
    events: eventsOf(action, unlocks),
  }
}

// A write that lands leaves no lockout behind; what came after it is looked at when there is time for that.
const unlocked = (account: Account, operation: Operation): Account =>
  operation === 'unlock' ? { ...account, locked: false } : account

/** An answer as the journal keeps it. */
const describeAnswer = (answer: WriteAnswer): string =>
  answer.kind === 'refused' ? `refused:${answer.refusal.kind}:${answer.refusal.code}` : answer.kind
