// Requests and intents for the journal's tests.
import type { AcceptedDocument, Intent } from '../../../src/agent/journal/journal.ts'

/** A document whose text, as long as a real one, can be found again in a file. */
export function documentOf(requestId: string, sequence: number, lease = 1): AcceptedDocument {
  return {
    requestId,
    directory: 'main',
    subject: `anchor of ${requestId}`,
    sequence,
    lease,
    document: `sealed-text-of-${requestId}.`.padEnd(6000, 'sealed-text-'),
    expiresAtMs: 1000,
    earlier: [{ agent: 'other', server: 'dc9' }],
    last: { server: 'dc1', marker: null, settled: true },
  }
}

/** The intent of one write. */
export function intentOf(requestId: string, n: number, kind: Intent['kind'] = 'write'): Intent {
  return {
    requestId,
    n,
    lease: 1,
    kind,
    server: 'dc1',
    markerBefore: undefined,
    markerAfter: `marker ${n}`,
    passwordVersionBefore: 3,
    effect: kind === 'write' ? 'reset' : undefined,
    startedAtMs: 100 + n,
    notices: kind === 'write' ? ['old_password_may_work'] : [],
  }
}
