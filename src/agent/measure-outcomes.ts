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
  /** Reads a document that was verified when it was accepted. */
  readonly readDocument: (open: OpenRequest) => Promise<RequestDocument>
}

/** The same journal; outcomes that it records for the first time are counted. */
export function measureOutcomes(journal: Journal, parts: CountParts): Journal {
  return {
    ...journal,
    outcome: (outcome, told) => {
      // Its document goes with the outcome.
      const open = journal.find(outcome.requestId)
      const recording = journal.outcome(outcome, told)
      if (recording === 'recorded') count(journal, parts, open, outcome).catch(() => {})
      return recording
    },
  }
}

async function count(
  journal: Journal,
  { metrics, probed, lastOutcomes, readDocument }: CountParts,
  open: OpenRequest | undefined,
  { requestId, outcome, reason = '', atMs }: RecordedOutcome,
): Promise<void> {
  const wasInDoubt = journal
    .intents(requestId)
    .some(({ answer }) => answer === undefined || answer === 'lost')
  const ended = { directory: open?.directory ?? '', outcome, reason, wasInDoubt }
  // An inspection has no place in the order, and no sequence.
  if (open && open.sequence > 0 && probed.get(open.directory) === open.subject)
    metrics.probeEnded(open.directory, outcome)
  // A document that cannot be read any more ends its request, too.
  const document = open && (await readDocument(open).catch(() => undefined))
  const operation = document === undefined ? 'unreadable' : document.operation
  const seconds = document === undefined ? undefined : (atMs - document.issuedAt) / 1000
  metrics.requestEnded({ ...ended, operation, seconds })
  lastOutcomes.note({
    ...{ request: requestId, directory: ended.directory, operation, outcome, at: Math.round(atMs) },
    reason: reason === '' ? null : reason,
  })
}
