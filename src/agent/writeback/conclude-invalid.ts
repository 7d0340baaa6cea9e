// The end of a request that cannot be carried out at all. Even then: what may have been written is not called unwritten.
import { type ConcludeParts, conclude } from './conclude.ts'
import { readPastWrites } from './past-writes.ts'
import type { Circumstances, Ending } from './step.ts'

/** A request whose document is invalid, or is not this agent's any more. */
export interface InvalidRequest {
  readonly requestId: string
  readonly lease: number
  /** Receipts of earlier leases: somebody may have written under them. */
  readonly earlier: readonly { readonly server: string }[]
}

/** Ends it `failed`, `request_invalid`; `applied` when the directory had confirmed a write, `unknown` when one is in doubt. */
export async function concludeInvalid(
  parts: ConcludeParts,
  request: InvalidRequest,
  fault: string,
): Promise<void> {
  parts.log.warn('a request is invalid', { requestId: request.requestId, fault })
  const { ending, circumstances } = endingOf(parts, request, fault)
  await conclude(
    parts,
    { requestId: request.requestId, lease: request.lease, directory: null },
    ending,
    circumstances,
  )
}

function endingOf(
  parts: ConcludeParts,
  { requestId, earlier }: InvalidRequest,
  fault: string,
): { ending: Ending; circumstances: Circumstances } {
  const { landed, unanswered } = readPastWrites(parts.journal.intents(requestId))
  if (landed)
    return {
      ending: { outcome: 'applied' },
      circumstances: {
        server: landed.server,
        marker: landed.withoutMarker ? undefined : landed.markerAfter,
        notices: landed.notices,
      },
    }
  const isInDoubt = earlier.length > 0 || unanswered.length > 0
  const ending: Ending = isInDoubt ? { outcome: 'unknown' } : { outcome: 'failed', reason: 'request_invalid' }
  return { ending, circumstances: { detail: fault } }
}
