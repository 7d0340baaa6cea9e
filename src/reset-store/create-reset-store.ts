// The reset store, assembled: every part from one set of options, started in order and stopped in reverse.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '../clock/clock.ts'
import { makePrivateDirectory } from '../config/private-file.ts'
import { ADMIN_TOKEN_FILE } from '../config/store-config.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Repository } from './database/repository.ts'
import { openSqliteRepository } from './database/sqlite-repository.ts'
import type { Calls } from './http/calls.ts'
import { createServer, type StoreServer } from './http/create-server.ts'
import { createChanges } from './requests/changes.ts'
import { createClaimRequests } from './requests/claim-requests.ts'
import { createRequest } from './requests/create-request.ts'
import { declareServer, listGone } from './requests/gone-servers.ts'
import { setPause } from './requests/pause.ts'
import { publishPolicies, readPolicies } from './requests/policies.ts'
import { createProbes, type Probes, type ProbeWish } from './requests/probes.ts'
import { sealRequest } from './requests/seal-request.ts'
import type { StoreContext } from './requests/store-context.ts'
import { startSweeping } from './requests/sweep.ts'
import { createTakeOutcomes } from './requests/take-outcomes.ts'
import { takeReceipts } from './requests/take-receipts.ts'
import { addUser, listUsers } from './requests/users.ts'
import { listVerdicts, readVerdict } from './requests/verdict.ts'
import { createAdministratorCheck, ensureAdministrator } from './verification/administrators.ts'
import { type AgentGate, createAgentGate } from './verification/agent-gate.ts'
import { listAgents, revokeAgent, takeHeartbeat } from './verification/agents.ts'
import { createEnrolment, type Enrolment } from './verification/enrolment.ts'
import { publishSealingKeys } from './verification/sealing-keys.ts'
import { loadStoreKeys } from './verification/store-keys.ts'

/** Everything a store needs to be told. */
export interface ResetStoreOptions {
  readonly dataDirectory: string
  readonly listen: { readonly host: string; readonly port: number }
  /** PEM text. `clientCa`: who shows no certificate of one of these authorities gets no connection. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa?: string }
  readonly publicUrl: string
  readonly tenant: string
  readonly requestLifetimeMs: number
  /** Users that are probed on a clock. Default none. */
  readonly probes?: readonly ProbeWish[]
  readonly log: Logger
  readonly clock: Clock
}

/** A store that can run once. */
export interface ResetStore {
  /** Throws ERR_DATABASE_UNUSABLE, ERR_KEYS_UNUSABLE, ERR_LISTEN; nothing is left running then. */
  readonly start: () => Promise<{ readonly url: string; readonly port: number }>
  readonly stop: () => Promise<void>
}

const STOP_WITHIN_MS = 5000

/** Makes a store; its data directory is created at the first start. */
export function createResetStore(options: ResetStoreOptions): ResetStore {
  const releases: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const release of releases.splice(0).reverse()) await release()
  }
  return {
    start: async () => {
      try {
        return await start(options, (release) => void releases.push(release))
      } catch (error) {
        await stop()
        throw error
      }
    },
    stop,
  }
}

async function start(
  options: ResetStoreOptions,
  onStop: (release: () => Promise<void>) => void,
): Promise<{ url: string; port: number }> {
  const { clock, log, dataDirectory } = options
  await makePrivateDirectory(dataDirectory, 'ERR_DATABASE_UNUSABLE')
  const repository = openSqliteRepository(join(dataDirectory, 'store.db'))
  onStop(repository.close)
  const { context, enrolment } = await prepare(options, repository)
  const gate = await createAgentGate(repository, clock, context.store)
  const verifyAdministrator = await createAdministratorCheck(repository)
  const sweeping = startSweeping(context)
  onStop(sweeping.stop)
  const probes = createProbes(context, options.probes ?? [])
  const server: StoreServer = createServer(
    { calls: callsOf(context, { gate, enrolment, probes }), gate, verifyAdministrator },
    { listen: options.listen, tls: options.tls, log, isReady: () => !context.changes.isStopped() },
  )
  onStop(() => server.stop(STOP_WITHIN_MS))
  // Released first: every wait ends, so that the server has nothing left to answer.
  onStop(async () => context.changes.stop())
  const port = await server.start()
  onStop(probes.start().stop)
  log.info('reset store is ready', { store: context.store, url: options.publicUrl, port })
  return { url: `https://${urlHost(options.listen.host)}:${port}`, port }
}

async function prepare(
  options: ResetStoreOptions,
  repository: Repository,
): Promise<{ context: StoreContext; enrolment: Enrolment }> {
  const { clock, log, tenant, requestLifetimeMs, dataDirectory } = options
  const known = await repository.transaction((records) => records.readFact('store_id'))
  const keys = await loadStoreKeys(join(dataDirectory, 'signing-key.json'), known === undefined)
  await ensureAdministrator(repository, join(dataDirectory, ADMIN_TOKEN_FILE))
  const store = known ?? randomBytes(4).toString('hex')
  if (known === undefined) await repository.transaction((records) => records.writeFact('store_id', store))
  const shared = { repository, changes: createChanges(), clock, log, store, tenant, requestLifetimeMs }
  const context: StoreContext = { ...shared, signer: keys.signer }
  return { context, enrolment: createEnrolment(context, keys) }
}

interface Parts {
  readonly gate: AgentGate
  readonly enrolment: Enrolment
  readonly probes: Probes
}

function callsOf(context: StoreContext, { gate, enrolment, probes }: Parts): Calls {
  const claim = createClaimRequests(context)
  const takeOutcomes = createTakeOutcomes(context)
  return {
    enrol: ({ body, address }) => enrolment.enrol(body, address),
    claim: ({ caller, body, signal }) => claim(caller, body, signal),
    receipts: ({ caller, body }) => takeReceipts(context, caller, body),
    outcomes: ({ caller, body }) => takeOutcomes(caller, body.outcomes),
    heartbeat: ({ caller, body }) => takeHeartbeat(context, caller, body),
    publishSealingKeys: ({ caller, body }) => publishSealingKeys(context, caller, body.sealingKeys),
    publishPolicies: ({ caller, parameter, body }) => publishPolicies(context, caller, parameter, body),
    createRequest: ({ caller, parameter, body }) => createRequest(context, caller, parameter, body),
    seal: ({ caller, parameter, body }) => sealRequest(context, caller, parameter, body),
    verdict: ({ parameter, query, signal }) =>
      readVerdict(context, parameter, { waitMs: query.wait ?? 0, signal }),
    listRequests: async () => ({ requests: await listVerdicts(context) }),
    addUser: ({ body }) => addUser(context, body),
    listUsers: ({ query }) => listUsers(context, query),
    listAgents: () => listAgents(context),
    revokeAgent: async ({ parameter }) => {
      await revokeAgent(context, gate, parameter)
      return undefined
    },
    createEnrolmentCode: ({ body }) => enrolment.createCode(body.directories, body.validForMs),
    readPolicies: ({ parameter }) => readPolicies(context, parameter),
    setPause: ({ body }) => setPause(context, body.paused),
    declareServer: ({ parameter, body }) => declareServer(context, parameter, body.gone),
    listProbes: probes.list,
    runProbe: ({ body }) => probes.run(body.user),
    listGoneServers: async () => ({ servers: await context.repository.transaction(listGone) }),
  }
}

const urlHost = (host: string): string => (host.includes(':') ? `[${host}]` : host)
