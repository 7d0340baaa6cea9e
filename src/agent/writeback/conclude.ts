// The end of a request: the outcome is signed, made durable, and only then reported. The first one stands for ever.
import { createHash } from 'node:crypto'
import { type Outcome, outcomeSchema, signOutcome } from '../../protocol/outcome.ts'
import { parseDocument } from '../../protocol/signed-message.ts'
import type { OutcomeEntry } from '../decisions/audit-entry.ts'
import type { Circumstances, Ending } from './step.ts'
import type { WritebackParts } from './writeback-parts.ts'

/** The request that ends; `directory` is null when its document could not be read. */
export interface Concluded {
  readonly requestId: string
  readonly lease: number
  readonly directory: string | null
}

/** The part of the neighbours that ending a request needs. */
export type ConcludeParts = Pick<
  WritebackParts,
  | 'agent'
  | 'store'
  | 'signer'
  | 'journal'
  | 'audit'
  | 'clock'
  | 'storeTime'
  | 'leases'
  | 'log'
  | 'wakeReporter'
>

/** Signs and records the outcome, then wakes the reporter. Throws ERR_JOURNAL_UNUSABLE when it could not be kept. */
export async function conclude(
  parts: ConcludeParts,
  request: Concluded,
  ending: Ending,
  circumstances: Circumstances,
): Promise<void> {
  const outcome = outcomeOf(parts, request, ending, circumstances)
  const bytes = await signOutcome(outcome, parts.signer)
  const recorded = {
    ...{ requestId: request.requestId, outcome: ending.outcome },
    ...('reason' in ending ? { reason: ending.reason } : {}),
    ...{ bytes, atMs: outcome.decidedAt },
  }
  const recording = parts.journal.outcome(recorded, tellOutcome(outcome, bytes, parts.clock.wallMs()))
  // The first one stands whatever the disk says now; without the disk nobody is told of it.
  await parts.journal.durable().finally(() => {
    parts.leases.drop({ request: request.requestId, lease: request.lease })
    parts.wakeReporter()
  })
  // Not waited for: the journal keeps it until it stands in the audit record.
  parts.audit.wake()
  parts.log.info('request ended', {
    requestId: request.requestId,
    outcome: ending.outcome,
    ...('reason' in ending ? { reason: ending.reason } : {}),
    ...(circumstances.server === undefined ? {} : { server: circumstances.server }),
    ...(recording === 'recorded' ? {} : { recording }),
  })
}

const tellOutcome = (outcome: Outcome, bytes: string, nowMs: number): OutcomeEntry => ({
  ...{ kind: 'outcome', time: new Date(nowMs).toISOString(), request: outcome.request, lease: outcome.lease },
  ...{ directory: outcome.directory, outcome: outcome.outcome },
  reason: 'reason' in outcome ? outcome.reason : null,
  ...{ server: outcome.server, marker: outcome.marker, notices: outcome.notices },
  signed: createHash('sha256').update(bytes).digest('hex'),
})

function outcomeOf(
  parts: ConcludeParts,
  request: Concluded,
  ending: Ending,
  circumstances: Circumstances,
): Outcome {
  const shared = {
    request: request.requestId,
    store: parts.store,
    agent: parts.agent,
    directory: request.directory,
    lease: request.lease,
    server: circumstances.server ?? null,
    marker: circumstances.marker ?? null,
    decidedAt: Math.round(parts.storeTime.nowMs()),
    notices: [...(circumstances.notices ?? [])],
    detail: printable(circumstances.detail),
    account: circumstances.account ?? null,
    rule: circumstances.rule ?? null,
    policy: circumstances.policy ?? null,
  }
  return parseDocument('outcome', { ...shared, ...ending }, outcomeSchema)
}

function printable(text: string | undefined): string | null {
  const clean = text
    ?.toWellFormed()
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 500)
    .toWellFormed()
  return clean ? clean : null
}
