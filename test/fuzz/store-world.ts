// An agent's side of the store for the fuzz: the real client, intake, receipts and writeback on a real journal. The store is
// a function that gives the next bytes; the directory counts who asks for it.
import { rmSync } from 'node:fs'
import { createLeases } from '../../src/agent/decisions/leases.ts'
import { createStoreTime } from '../../src/agent/decisions/store-time.ts'
import { createReceipts } from '../../src/agent/intake/confirm-receipts.ts'
import { createDocumentCache } from '../../src/agent/intake/document-cache.ts'
import type { IntakeParts } from '../../src/agent/intake/intake-parts.ts'
import { createJournal } from '../../src/agent/journal/create-journal.ts'
import { createStoreClient } from '../../src/agent/store-client/create-store-client.ts'
import type { Fetch } from '../../src/agent/store-client/store-transport.ts'
import { concludeInvalid } from '../../src/agent/writeback/conclude-invalid.ts'
import { createDrops } from '../../src/agent/writeback/drops.ts'
import { createLimits } from '../../src/agent/writeback/limit-writes.ts'
import { processRequest } from '../../src/agent/writeback/process-request.ts'
import { createSuspects } from '../../src/agent/writeback/suspects.ts'
import type { WritebackParts } from '../../src/agent/writeback/writeback-parts.ts'
import { type Clock, systemClock } from '../../src/clock/clock.ts'
import { createConditions } from '../../src/telemetry/conditions.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { accountOf, DIRECTORY, RULES, SERVER, STORE, TENANT } from '../agent/sample-requests.ts'
import { openAudit } from '../fakes/open-audit.ts'
import { createScriptedDirectory } from '../fakes/scripted-directory.ts'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'
import { ANCHOR, type Samples } from './store-samples.ts'

/** The answer to the next call. */
export interface NextAnswer {
  readonly status: number
  readonly body: Buffer
}

/** The agent under fuzz. */
export type StoreWorld = ReturnType<typeof openStoreWorld>

const URL = 'https://reset.example.test'
const MOST_WRITES = 1_000_000_000

/** Opens the world. `answerOf` is asked for every call the agent makes. */
export function openStoreWorld(samples: Samples, answerOf: (path: string) => NextAnswer) {
  const { parties } = samples
  const state = makeScratchDirectory()
  const journal = createJournal(state)
  // Rests are not waited for: what counts is where a message ends, not when.
  const clock: Clock = { ...systemClock, sleep: () => new Promise((resolve) => setImmediate(resolve)) }
  const leases = createLeases(clock)
  const storeTime = createStoreTime(clock)
  const conditions = createConditions({ clock, log: silentLogger })
  const seen = { enqueued: [] as string[], invalid: [] as string[], asked: 0, wakes: 0 }
  const identity = { agent: parties.agent, store: STORE, signer: parties.keys.identity.signer }
  const fetch: Fetch = async (url) => answering(answerOf(url.slice(URL.length)))
  const client = createStoreClient({
    ...{ url: URL, fetch, identity, clock, timeoutMs: 5_000 },
    nowMs: storeTime.nowMs,
    observe: storeTime.observe,
  })
  const documents = createDocumentCache(parties.findStoreKey)
  const shared = {
    ...identity,
    journal,
    audit: openAudit,
    storeTime,
    leases,
    conditions,
    clock,
    log: silentLogger,
  }
  const wakeReporter = () => {
    seen.wakes += 1
  }
  const receipts = createReceipts({ client, journal, leases })
  const intake: IntakeParts = {
    ...{ ...shared, client, receipts, documents, wakeReporter },
    addressee: {
      store: STORE,
      tenant: TENANT,
      directories: new Set([DIRECTORY]),
      sealingKeyIds: new Set([parties.recipient.kid]),
    },
    findKey: parties.findStoreKey,
    setPaused: () => {},
    setGoneServers: () => {},
    serverOf: () => SERVER,
    enqueue: async (_directory, ids) => void seen.enqueued.push(...ids),
    refuseInvalid: (request, fault) => {
      seen.invalid.push(request.requestId)
      return concludeInvalid({ ...shared, wakeReporter }, request, fault)
    },
  }
  const dc = createScriptedDirectory({
    name: DIRECTORY,
    server: SERVER,
    rules: RULES,
    account: accountOf({ objectGuid: ANCHOR }),
    clock,
  })
  const served = {
    directory: {
      ...dc.directory,
      writer: () => {
        seen.asked += 1
        return dc.directory.writer()
      },
    },
    blocklist: undefined,
    refusesNames: false,
    backoff: { next: () => 1, reset: () => {} },
  }
  const writeback: WritebackParts = {
    ...shared,
    keys: parties.keys,
    directories: new Map([[DIRECTORY, served]]),
    limits: createLimits(
      shared,
      new Map([
        [
          DIRECTORY,
          {
            perAccountAndHour: MOST_WRITES,
            perMinute: MOST_WRITES,
            burst: MOST_WRITES,
            burstWindowMs: 600_000,
          },
        ],
      ]),
    ),
    isPaused: () => false,
    goneServers: () => new Set(),
    suspects: createSuspects(),
    drops: createDrops(),
    readDocument: documents.read,
    confirmReceipt: async () => true,
    wakeReporter,
  }
  return {
    ...{ state, journal, leases, storeTime, conditions, clock, client, receipts, fetch, intake, seen, dc },
    url: URL,
    process: (requestId: string) => processRequest(writeback, requestId, new AbortController().signal),
    remove: () => rmSync(state, { recursive: true, force: true }),
  }
}

// In pieces, as a network gives them.
const answering = ({ status, body }: NextAnswer): Awaited<ReturnType<Fetch>> => ({
  status,
  headers: { get: (name) => (name === 'date' ? new Date().toUTCString() : null) },
  body: piecesOf(body),
})

async function* piecesOf(body: Buffer): AsyncGenerator<Uint8Array> {
  const cut = body.length >> 1
  if (cut > 0) yield body.subarray(0, cut)
  yield body.subarray(cut)
}
