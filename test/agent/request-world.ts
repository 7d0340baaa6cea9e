// One agent with one open request: a real journal, real keys and sealed values, a scripted directory.
import { rmSync } from 'node:fs'
import { expect } from '@jest/globals'
import type { Account } from '../../src/agent/decisions/account.ts'
import { createLeases } from '../../src/agent/decisions/leases.ts'
import { createStoreTime } from '../../src/agent/decisions/store-time.ts'
import type { WriteLimits } from '../../src/agent/decisions/write-limits.ts'
import { createDocumentCache } from '../../src/agent/intake/document-cache.ts'
import { createJournal } from '../../src/agent/journal/create-journal.ts'
import type { AcceptedDocument, Intent } from '../../src/agent/journal/journal.ts'
import { createDrops } from '../../src/agent/writeback/drops.ts'
import { createLanes } from '../../src/agent/writeback/lanes.ts'
import { createLimits } from '../../src/agent/writeback/limit-writes.ts'
import { processRequest } from '../../src/agent/writeback/process-request.ts'
import { createSuspects } from '../../src/agent/writeback/suspects.ts'
import type { WritebackParts } from '../../src/agent/writeback/writeback-parts.ts'
import type { Blocklist } from '../../src/policy/blocklist.ts'
import { newId } from '../../src/protocol/identifiers.ts'
import { formatMarker, type Marker } from '../../src/protocol/marker.ts'
import { verifyOutcome } from '../../src/protocol/outcome.ts'
import type { RequestDocument, ResetDocument } from '../../src/protocol/request-document.ts'
import { createConditions } from '../../src/telemetry/conditions.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { createManualClock } from '../fakes/manual-clock.ts'
import { openAudit } from '../fakes/open-audit.ts'
import { createScriptedDirectory } from '../fakes/scripted-directory.ts'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'
import {
  accountOf,
  asOperation,
  DIRECTORY,
  makeParties,
  RULES,
  resetOf,
  SERVER,
  STORE,
  signedBy,
} from './sample-requests.ts'

export const NOW = 1_790_000_000_000
export const LEASE = 5
export const parties = await makeParties()
const cleanUp: (() => void)[] = []
/** Closes every world; for `afterEach`. */
export function closeWorlds(): void {
  for (const step of cleanUp.splice(0).reverse()) step()
}

export interface Wish {
  /** Default: reset. A change is from `passwords[0]` to `passwords[1]`. */
  readonly operation?: 'change' | 'unlock' | 'inspect'
  readonly passwords?: readonly [old: string, next: string]
  readonly document?: Partial<ResetDocument> & { readonly password?: string | Uint8Array }
  readonly account?: Partial<Account>
  readonly accepted?: Partial<AcceptedDocument>
  readonly receipt?: string | null
  readonly blocklist?: Blocklist
  readonly refusesNames?: boolean
  readonly limits?: Partial<WriteLimits>
  readonly withoutMarker?: 'version'
}

/** How long a request of the world waits after a lost answer without a marker. */
export const QUARANTINE_MS = 135_000

/** One agent with one open request, held under a lease, its receipt given for the writer. */
export async function openWorld(wish: Wish = {}) {
  const clock = createManualClock(NOW)
  const state = makeScratchDirectory()
  const opened = createJournal(state)
  const journal: typeof opened = {
    ...opened,
    durable: async () => {
      await flags.disk()
      await opened.durable()
    },
  }
  cleanUp.push(() => {
    journal.close()
    rmSync(state, { recursive: true, force: true })
  })
  const reset = await resetOf(parties, { nowMs: NOW, ...wish.document })
  const document: RequestDocument = wish.operation
    ? await asOperation(parties, reset, wish.operation, wish.passwords)
    : reset
  const account = accountOf({ objectGuid: document.subject.anchor, ...wish.account })
  const dc = createScriptedDirectory({
    name: DIRECTORY,
    server: SERVER,
    rules: RULES,
    account,
    clock,
  })
  const leases = createLeases(clock)
  const storeTime = createStoreTime(clock)
  storeTime.observe({ sentMs: clock.monotonicMs(), answeredMs: clock.monotonicMs(), storeTime: NOW })
  const conditions = createConditions({ clock, log: silentLogger })
  const limits = createLimits(
    { journal, storeTime, conditions, log: silentLogger },
    new Map([
      [
        DIRECTORY,
        { perAccountAndHour: 10, perMinute: 100, burst: 100, burstWindowMs: 600_000, ...wish.limits },
      ],
    ]),
  )
  const flags = {
    paused: false,
    auditHolds: true,
    /** The record cannot be written from the next intent on. */
    auditIsFull: false,
    auditFails: (): boolean => {
      if (flags.auditIsFull) flags.auditHolds = false
      return flags.auditIsFull
    },
    /** What is waited for before anything of the journal is on the disk. */
    disk: async () => {},
    gone: new Set<string>(),
    receipts: [] as string[],
    receipt: async () => true,
    reports: 0,
  }
  const drops = createDrops()
  const parts: WritebackParts = {
    agent: parties.agent,
    store: STORE,
    signer: parties.keys.identity.signer,
    journal,
    audit: {
      ...openAudit,
      isWritable: () => flags.auditHolds,
      reached: async () => flags.auditHolds && !flags.auditFails(),
    },
    keys: parties.keys,
    directories: new Map([
      [
        DIRECTORY,
        {
          directory: dc.directory,
          blocklist: wish.blocklist,
          refusesNames: wish.refusesNames ?? false,
          backoff: { next: () => 777, reset: () => {} },
          withoutMarker: wish.withoutMarker ?? 'refuse',
          lanes: createLanes(clock, QUARANTINE_MS),
        },
      ],
    ]),
    storeTime,
    leases,
    limits,
    suspects: createSuspects(),
    drops,
    conditions,
    clock,
    log: silentLogger,
    isPaused: () => flags.paused,
    goneServers: () => flags.gone,
    readDocument: createDocumentCache(parties.findStoreKey).read,
    confirmReceipt: async ({ requestId, lease }, server) => {
      flags.receipts.push(server)
      const isAccepted = await flags.receipt()
      if (isAccepted) journal.receipt([{ requestId, lease, server }])
      return isAccepted
    },
    wakeReporter: () => {
      flags.reports += 1
    },
  }
  const accepted: AcceptedDocument = {
    requestId: document.id,
    directory: DIRECTORY,
    subject: document.subject.anchor,
    sequence: reset.sequence,
    lease: LEASE,
    document: await signedBy(parties, document),
    expiresAtMs: document.expiresAt,
    earlier: [],
    last: null,
    ...wish.accepted,
  }
  journal.accept([accepted])
  if (wish.receipt !== null)
    journal.receipt([{ requestId: document.id, lease: LEASE, server: wish.receipt ?? SERVER }])
  const hold = () => leases.confirm({ request: document.id, lease: LEASE }, clock.monotonicMs())
  hold()
  const run = () => processRequest(parts, document.id, new AbortController().signal)
  /** Works on the request as the queue would until it has its outcome; time passes as the answers ask. */
  const finish = async (onRest: () => void = () => {}) => {
    for (let tries = 0; tries < 50; tries += 1) {
      const result = await run()
      if (result === 'done') return
      clock.pass('laterMs' in result ? result.laterMs : result.retryAfterMs)
      hold()
      onRest()
    }
    throw new Error('the request does not end')
  }
  const outcome = async () => {
    const [waiting] = journal.undelivered(1)
    return waiting && verifyOutcome(waiting.bytes, () => parties.agentKey)
  }
  /** As the journal was left by a process that ended there. */
  const leaveIntent = (answer: string | undefined, fields: Partial<Intent> = {}) => {
    const n = journal.nextAttempt(document.id)
    const marker = { ...ours, requestId: document.id, n }
    const intent: Intent = {
      requestId: document.id,
      n,
      lease: LEASE,
      kind: 'write',
      server: SERVER,
      markerBefore: account.marker,
      markerAfter: formatMarker(marker),
      passwordVersionBefore: account.passwordVersion?.version,
      startedAtMs: NOW,
      notices: [],
      effect: wish.operation === 'change' || wish.operation === 'unlock' ? wish.operation : 'reset',
      ...fields,
    }
    journal.intent(intent)
    if (answer !== undefined) journal.answer(document.id, n, answer)
    return intent
  }
  return {
    ...{ clock, journal, document, account, dc, leases, conditions, flags, parts },
    ...{ accepted, hold, run, finish, outcome, leaveIntent },
  }
}

export const ours: Marker = {
  store: STORE,
  sequence: NOW,
  requestId: newId(),
  flag: 'applied',
  lease: LEASE,
  n: 1,
  passwordVersion: 5,
}
export const markerText = (fields: Partial<Marker>) => formatMarker({ ...ours, ...fields })
export const ended = (outcome: string, reason?: string) =>
  expect.objectContaining({ outcome, ...(reason === undefined ? {} : { reason }) })
