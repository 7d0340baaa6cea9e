// A journal and the audit record that is fed from it, in one directory, with an identity key of the process.
import path from 'node:path'
import type { CheckpointSigner } from '../../../src/agent/audit/checkpoint.ts'
import { createAudit } from '../../../src/agent/audit/create-audit.ts'
import type { AuditKeeping } from '../../../src/agent/audit/retention.ts'
import { type IntentEntry, type OutcomeEntry, resultOf } from '../../../src/agent/decisions/audit-entry.ts'
import { createJournal } from '../../../src/agent/journal/create-journal.ts'
import type { Journal } from '../../../src/agent/journal/journal.ts'
import { type Clock, systemClock } from '../../../src/clock/clock.ts'
import { createConditions } from '../../../src/telemetry/conditions.ts'
import { silentLogger } from '../../../src/telemetry/logger.ts'
import { documentOf, intentOf } from '../journal/samples.ts'

const MEGABYTE = 1024 * 1024
const DAY_MS = 86_400_000
/** Files as they are kept by default. */
export const KEEPING: AuditKeeping = {
  fileBytes: 16 * MEGABYTE,
  fileMs: 31 * DAY_MS,
  keepMs: 400 * DAY_MS,
  keepBytes: 1024 * MEGABYTE,
}

/** How a record differs from the usual one. */
export interface RecordWish {
  readonly keeping?: Partial<AuditKeeping>
  readonly clock?: Clock
  readonly auditDirectory?: string
  /** What the store's clock says. */
  readonly confirmedNowMs?: () => number | undefined
}

/** Opens both. */
export function openRecord(state: string, signer: CheckpointSigner, wish: RecordWish = {}) {
  const journal = createJournal(state)
  const clock = wish.clock ?? systemClock
  const conditions = createConditions({ clock, log: silentLogger })
  const batches: (readonly string[])[] = []
  const directory = wish.auditDirectory ?? path.join(state, 'audit')
  const audit = createAudit({
    ...{ directory, signer, clock, conditions, log: silentLogger },
    keeping: { ...KEEPING, ...wish.keeping },
    confirmedNowMs: wish.confirmedNowMs ?? clock.wallMs,
    source: {
      ...{ entries: journal.auditEntries, appended: journal.auditAppended, taken: journal.auditTaken },
      ...{ resume: journal.auditResume, settle: journal.auditSettle },
    },
    written: (lines) => void batches.push(lines),
  })
  return {
    ...{ journal, audit, conditions, directory, batches },
    close: async () => {
      await audit.stop()
      journal.close()
    },
  }
}
export type Recorded = ReturnType<typeof openRecord>

/** What is told of a first write of a request. */
export const intentEntry = (request: string, nowMs: number, attempt = 1): IntentEntry => ({
  ...{ kind: 'intent', time: new Date(nowMs).toISOString(), request, attempt, lease: 1, directory: 'main' },
  ...{ action: 'reset', server: 'dc1', marker: `marker ${attempt}`, url: 'ldaps://dc1' },
  directoryTime: new Date(nowMs).toISOString(),
  account: { anchor: `anchor of ${request}`, objectGuid: 'guid', sid: 'S-1-5-21-1-2-3-1105', name: 'ada' },
  actor: { kind: 'help_desk', name: 'Grace, “desk 7”', methods: ['badge'], audit: 'a-1' },
  events: [4724],
})

/** What is told of its end. */
export const outcomeEntry = (request: string, nowMs: number): OutcomeEntry => ({
  ...{ kind: 'outcome', time: new Date(nowMs).toISOString(), request, lease: 1, directory: 'main' },
  ...{
    outcome: 'applied',
    reason: null,
    server: 'dc1',
    marker: 'marker 1',
    notices: [],
    signed: '0'.repeat(64),
  },
})

/** A request up to the moment before its write. True: it may be sent. */
export async function begin(
  { journal, audit }: Pick<Recorded, 'journal' | 'audit'>,
  request: string,
  sequence: number,
) {
  journal.accept([{ ...documentOf(request, sequence), document: 'sealed' }])
  const entry = journal.intent(intentOf(request, 1), intentEntry(request, Date.now()))
  await journal.durable()
  return audit.reached(entry)
}

/** The answer of its write. */
export function answer(journal: Journal, request: string, text = 'accepted'): void {
  const now = Date.now()
  journal.answer(request, 1, text, resultOf(intentEntry(request, now), text, now))
}

/** Its end. */
export async function conclude({ journal, audit }: Pick<Recorded, 'journal' | 'audit'>, request: string) {
  const now = Date.now()
  journal.outcome(
    { requestId: request, outcome: 'applied', bytes: 'signed', atMs: now },
    outcomeEntry(request, now),
  )
  await journal.durable()
  audit.wake()
}

/** The whole way of a request. */
export async function carryOut(recorded: Recorded, request: string, sequence: number): Promise<void> {
  await begin(recorded, request, sequence)
  answer(recorded.journal, request)
  await conclude(recorded, request)
}
