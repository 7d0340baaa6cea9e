// The reset store with its real rules, over a database in memory: it can end, start again, and be restored from an older
// copy of its database.
import type { Clock } from '../../src/clock/clock.ts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import { ENDPOINTS, type Endpoint } from '../../src/protocol/endpoints.ts'
import { type Problem, problemOf } from '../../src/protocol/problem.ts'
import { parseDocument } from '../../src/protocol/signed-message.ts'
import { parseStrictJson } from '../../src/protocol/strict-json.ts'
import { migrate } from '../../src/reset-store/database/open-database.ts'
import { createSqliteRepository } from '../../src/reset-store/database/sqlite-repository.ts'
import { CallRefused } from '../../src/reset-store/requests/call-refused.ts'
import { createChanges } from '../../src/reset-store/requests/changes.ts'
import { createClaimRequests } from '../../src/reset-store/requests/claim-requests.ts'
import { inTime } from '../../src/reset-store/requests/close-overdue.ts'
import type { StoreContext } from '../../src/reset-store/requests/store-context.ts'
import { createTakeOutcomes } from '../../src/reset-store/requests/take-outcomes.ts'
import { takeReceipts } from '../../src/reset-store/requests/take-receipts.ts'
import { type AgentGate, createAgentGate } from '../../src/reset-store/verification/agent-gate.ts'
import { takeHeartbeat } from '../../src/reset-store/verification/agents.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import { createClock } from './host.ts'
import { STORE, storeKeys, TENANT } from './keys-of-the-run.ts'
import { createDatabasePool, type MemoryDatabase } from './memory-database.ts'
import type { Owner, Scheduler } from './scheduler.ts'

/** One call as it arrives at the store. */
export interface StoreCall {
  readonly method: string
  readonly path: string
  readonly token: string
  readonly body: Uint8Array
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal
}

/** What the store answers. */
export interface StoreAnswer {
  readonly status: number
  readonly body: string
}

/** Told of what the rules decided, before anybody hears it. */
export interface StoreObserver {
  readonly answered: (name: string, caller: string, body: unknown, answer: unknown) => void
  readonly refused: (name: string, caller: string, body: unknown, problem: Problem) => void
}

/** One process of the store. */
export interface StoreProcess {
  readonly owner: Owner
  readonly context: StoreContext
  readonly serve: (call: StoreCall) => Promise<StoreAnswer>
}

/** How a request stands. */
export interface StoreVerdict {
  readonly outcome: string | null
  readonly reason: string | null
  /** True time; null: it has not ended. */
  readonly closedAt: number | null
}

/** The store of a run. */
export interface SimulatedStore {
  /** The process that runs now; undefined while it is down. */
  readonly process: () => StoreProcess | undefined
  readonly start: () => Promise<void>
  readonly kill: () => void
  /** Keeps a copy of the database as it is now. */
  readonly takeSnapshot: () => void
  /** Puts the copy in place of the database, while the store is down. */
  readonly restore: () => void
  /** Requests that have not ended, as the database has them. */
  readonly countOpen: () => number
  /** What the users are told, by request, as the database has it. */
  readonly verdicts: () => ReadonlyMap<string, StoreVerdict>
  readonly close: () => void
}

const SWEEP_MS = 5_000

/** Makes the store; `start` runs it. */
export function createSimulatedStore(options: {
  readonly scheduler: Scheduler
  /** Store clock minus true time. */
  readonly aheadMs: number
  readonly lifetimeMs: number
  readonly log: Logger
  readonly observer: StoreObserver
}): SimulatedStore {
  const { scheduler } = options
  let lent = lendDatabase()
  let snapshot: MemoryDatabase | undefined
  let running: StoreProcess | undefined
  const open = async (): Promise<StoreProcess> => {
    const owner = scheduler.makeOwner('store')
    const host = { wallMs: () => scheduler.now() + options.aheadMs, monotonicMs: scheduler.now }
    const clock: Clock = createClock(scheduler, owner, host)
    const repository = createSqliteRepository(lent.database)
    const context: StoreContext = {
      ...{ repository, changes: createChanges(), clock, log: options.log, store: STORE, tenant: TENANT },
      ...{ signer: storeKeys().signer, requestLifetimeMs: options.lifetimeMs },
    }
    const gate = await createAgentGate(repository, clock, STORE)
    return { owner, context, serve: createServe(context, gate, options.observer) }
  }
  // What ends by time ends also when nobody asks.
  const sweep = (process: StoreProcess) => {
    scheduler.after(process.owner, SWEEP_MS, () => {
      void inTime(process.context, async (records, now) => records.forgetCalls(now))
      sweep(process)
    })
  }
  return {
    process: () => running,
    start: async () => {
      running = await open()
      sweep(running)
    },
    kill: () => {
      const ended = running
      running = undefined
      if (ended) scheduler.end(ended.owner)
    },
    takeSnapshot: () => {
      snapshot?.giveBack()
      snapshot = copyOf(lent)
    },
    restore: () => {
      if (!snapshot) return
      lent.giveBack()
      lent = snapshot
      snapshot = undefined
    },
    verdicts: () => {
      const rows = lent.database.prepare('SELECT id, outcome, reason, closed_at FROM requests').all()
      const text = (value: unknown) => (value === null ? null : String(value))
      const moment = (value: unknown) => (value === null ? null : Number(value) - options.aheadMs)
      return new Map(
        rows.map((row) => [
          String(row['id']),
          { outcome: text(row['outcome']), reason: text(row['reason']), closedAt: moment(row['closed_at']) },
        ]),
      )
    },
    countOpen: () =>
      Number(
        lent.database.prepare("SELECT count(*) AS number FROM requests WHERE state <> 'closed'").get()?.[
          'number'
        ],
      ),
    close: () => {
      lent.giveBack()
      snapshot?.giveBack()
    },
  }
}

const lendDatabase = createDatabasePool(migrate)

/** Another database with the same rows. */
function copyOf({ database }: MemoryDatabase): MemoryDatabase {
  const copy = lendDatabase()
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
    .map(({ name }) => String(name))
  for (const table of tables)
    for (const row of database.prepare(`SELECT * FROM ${table}`).all()) {
      const names = Object.keys(row)
      const places = names.map(() => '?').join(', ')
      copy.database
        .prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${places})`)
        .run(...Object.values(row))
    }
  return copy
}

type AgentCall = 'claim' | 'receipts' | 'outcomes' | 'heartbeat'

/** Admits, reads and answers a call as the server of the store does. */
function createServe(context: StoreContext, gate: AgentGate, observer: StoreObserver): StoreProcess['serve'] {
  const claim = createClaimRequests(context)
  const takeOutcomes = createTakeOutcomes(context)
  const calls: Readonly<
    Record<AgentCall, (caller: string, body: never, signal: AbortSignal) => Promise<unknown>>
  > = {
    claim: (caller, body, signal) => claim(caller, body, signal),
    receipts: (caller, body) => takeReceipts(context, caller, body),
    outcomes: (caller, body: { readonly outcomes: readonly string[] }) => takeOutcomes(caller, body.outcomes),
    heartbeat: (caller, body) => takeHeartbeat(context, caller, body),
  }
  return async ({ method, path, token, body: bytes, signal }) => {
    const name = (Object.keys(calls) as AgentCall[]).find(
      (one) => ENDPOINTS[one].method === method && ENDPOINTS[one].path === path,
    )
    if (!name) return answerOf(problemOf('route_not_found'))
    let caller = ''
    let body: unknown
    try {
      const admitted = await gate.admit(token, { method, path, body: bytes })
      caller = admitted.agent
      const endpoint: Endpoint = ENDPOINTS[name]
      body = endpoint.body && parseDocument('body', parseStrictJson(bytes), endpoint.body)
      const value = await calls[name](caller, body as never, signal)
      await admitted.remembered
      observer.answered(name, caller, body, value)
      return { status: endpoint.status, body: JSON.stringify(value) }
    } catch (error) {
      const problem = problemFor(error)
      observer.refused(name, caller, body, problem)
      return answerOf(problem)
    }
  }
}

const answerOf = (problem: Problem): StoreAnswer => ({
  status: problem.status,
  body: JSON.stringify(problem),
})

function problemFor(error: unknown): Problem {
  if (error instanceof CallRefused) return problemOf(error.problem, error.detail)
  if (!(error instanceof WritebackError)) throw error
  const isForm = error.code === 'ERR_JSON_INVALID' || error.code === 'ERR_DOCUMENT_INVALID'
  if (isForm) return problemOf('body_invalid', error.message)
  return problemOf(error.retry === 'later' ? 'unavailable' : 'internal')
}
