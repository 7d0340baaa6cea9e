// The end of a request: the outcome is signed, made durable, and only then reported. The first one stands for ever.
import { type Outcome, outcomeSchema, signOutcome } from '../../protocol/outcome.ts'
import { parseDocument } from '../../protocol/signed-message.ts'
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
  'agent' | 'store' | 'signer' | 'journal' | 'storeTime' | 'leases' | 'log' | 'wakeReporter'
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
  const recording = parts.journal.outcome({
    requestId: request.requestId,
    outcome: ending.outcome,
    ...('reason' in ending ? { reason: ending.reason } : {}),
    bytes,
    atMs: outcome.decidedAt,
  })
  parts.leases.drop({ request: request.requestId, lease: request.lease })
  parts.log.info('request ended', {
    requestId: request.requestId,
    outcome: ending.outcome,
    ...('reason' in ending ? { reason: ending.reason } : {}),
    ...(circumstances.server === undefined ? {} : { server: circumstances.server }),
    ...(recording === 'recorded' ? {} : { recording }),
  })
  parts.wakeReporter()
}

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
