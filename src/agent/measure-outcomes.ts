// Counts requests as they end: where the journal records an outcome, which happens once for each.
import type { RequestDocument } from '../protocol/request-document.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Journal, OpenRequest, RecordedOutcome } from './journal/journal.ts'
import type { LastOutcomes } from './last-outcomes.ts'

/** What counting needs beside the journal. */
export interface CountParts {
  readonly metrics: Pick<Metrics, 'requestEnded' | 'probeEnded'>
  /** Accounts that are probed, by directory. */
  readonly probed: ReadonlyMap<string, string>
  readonly lastOutcomes: Pick<LastOutcomes, 'note'>
  /** Documents that were verified when they were accepted. */
  readonly documents: {
    readonly peek: (requestId: string) => RequestDocument | undefined
    readonly read: (open: OpenRequest) => Promise<RequestDocument>
  }
}

/** The same journal; outcomes that it records for the first time are counted. */
export function measureOutcomes(journal: Journal, parts: CountParts): Journal {
  return {
    ...journal,
    outcome: (outcome, told) => {
      const request = findRequest(journal, parts, outcome.requestId)
      const recording = journal.outcome(outcome, told)
      if (recording === 'recorded') count(journal, parts, request, outcome).catch(() => {})
      return recording
    },
  }
}

type Ended = Pick<OpenRequest, 'directory' | 'subject' | 'sequence'> & {
  /** Undefined: it cannot be read any more, which ends a request, too. */
  readonly document: RequestDocument | Promise<RequestDocument | undefined>
}

/** Its document goes with the outcome; one that is at hand is not read for this. */
function findRequest(journal: Journal, { documents }: CountParts, requestId: string): Ended | undefined {
  const document = documents.peek(requestId)
  if (document) {
    // An inspection has no place in the order, and no sequence.
    const sequence = 'sequence' in document ? document.sequence : 0
    return { document, directory: document.directory, subject: document.subject.anchor, sequence }
  }
  const open = journal.find(requestId)
  if (!open) return undefined
  const { directory, subject, sequence } = open
  return { directory, subject, sequence, document: documents.read(open).catch(() => undefined) }
}

async function count(
  journal: Journal,
  { metrics, probed, lastOutcomes }: CountParts,
  request: Ended | undefined,
  { requestId, outcome, reason = '', atMs }: RecordedOutcome,
): Promise<void> {
  const wasInDoubt = journal.unsettledIntents(requestId).length > 0
  const ended = { directory: request?.directory ?? '', outcome, reason, wasInDoubt }
  if (request && request.sequence > 0 && probed.get(request.directory) === request.subject)
    metrics.probeEnded(request.directory, outcome)
  const document = await request?.document
  const operation = document === undefined ? 'unreadable' : document.operation
  const seconds = document === undefined ? undefined : (atMs - document.issuedAt) / 1000
  metrics.requestEnded({ ...ended, operation, seconds })
  lastOutcomes.note({
    ...{ request: requestId, directory: ended.directory, operation, outcome, at: Math.round(atMs) },
    reason: reason === '' ? null : reason,
  })
}
