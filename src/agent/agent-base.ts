// What every part of the agent stands on: identity, journal, clocks, the way to the store, the directories.
import type { Clock } from '../clock/clock.ts'
import type { AgentConfig } from '../config/agent-config.ts'
import type { Enrolled } from '../protocol/enrolment.ts'
import { VERSION } from '../protocol/version.ts'
import { type Conditions, createConditions } from '../telemetry/conditions.ts'
import type { Logger, LogLevel } from '../telemetry/logger.ts'
import { createMetrics, type Metrics } from '../telemetry/metrics.ts'
import type { Identity } from './agent-identity.ts'
import { auditDirectoryOf } from './audit/audit-files.ts'
import { type Audit, createAudit } from './audit/create-audit.ts'
import { createDirectories } from './create-directories.ts'
import { createDiscoveries, type FoundControllers } from './create-discoveries.ts'
import type { GoneServers } from './decisions/judge-doubt.ts'
import { createLeases, type Leases } from './decisions/leases.ts'
import { createStoreTime, type StoreTime } from './decisions/store-time.ts'
import type { WriteLimits } from './decisions/write-limits.ts'
import { type AuditForwarder, createAuditForwarder } from './forward-audit.ts'
import { createDocumentCache, type DocumentCache } from './intake/document-cache.ts'
import { createJournal } from './journal/create-journal.ts'
import type { Journal } from './journal/journal.ts'
import type { Keys } from './keys/open-keys.ts'
import { createLastOutcomes, type LastOutcomes } from './last-outcomes.ts'
import { measureDirectory, measureStoreClient } from './measure-calls.ts'
import { measureOutcomes } from './measure-outcomes.ts'
import { createPause, type Pause } from './pause.ts'
import { createPulse, type Pulse } from './pulse.ts'
import { writeLimitsOf } from './reload.ts'
import { rememberInJournal } from './remember-in-journal.ts'
import { clientCertificateOf } from './show-client-certificate.ts'
import { createStoreClient, type StoreClient } from './store-client/create-store-client.ts'
import { createStoreTransport } from './store-client/store-transport.ts'
import { type CertificateWatch, createCertificateWatch } from './watch-certificates.ts'
import { probedAccounts } from './watch-probes.ts'
import { createLimits, type Limits } from './writeback/limit-writes.ts'
import type { ServedDirectory } from './writeback/writeback-parts.ts'

/** What an agent is made from. */
export interface AgentOptions {
  readonly config: AgentConfig
  readonly log: Logger
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
  /** What makes passwords readable in this process, and was allowed all the same. */
  readonly unsafeRuntime?: readonly string[]
  /** An operator asked for a stop on the socket. */
  readonly onStopAsked?: () => void
  /** Reads the configuration anew; undefined: it is never reloaded. */
  readonly readConfig?: () => AgentConfig
  readonly setLogLevel?: (level: LogLevel) => void
  /** Told before and after a reload. */
  readonly onReload?: { readonly begun: () => void; readonly ended: () => void }
}

/** The ground of one agent. */
export interface AgentBase extends AgentOptions, Pause {
  readonly enrolled: Enrolled
  readonly keys: Keys
  readonly conditions: Conditions
  readonly metrics: Metrics
  readonly lastOutcomes: LastOutcomes
  readonly certificates: CertificateWatch
  readonly journal: Journal
  readonly audit: Audit
  readonly storeTime: StoreTime
  readonly leases: Leases
  readonly limits: Limits
  readonly pulse: Pulse
  readonly findKey: (kid: string) => ReturnType<Identity['storeKeys']['get']>
  readonly documents: DocumentCache
  readonly client: StoreClient
  readonly directories: ReadonlyMap<string, ServedDirectory>
  /** Of the directories whose controllers are looked for in DNS. */
  readonly discoveries: ReadonlyMap<string, FoundControllers>
  /** Domain controllers that an operator declared gone at the store; none before its first answer. */
  readonly goneServers: () => GoneServers
  readonly setGoneServers: (servers: readonly string[]) => void
  /** Aborts calls to the store that nobody will wait for. */
  readonly stopping: AbortController
  /** Closes connections and the journal. */
  readonly close: () => Promise<void>
}

const CALL_TIMEOUT_MS = 10_000
const DIRECTORY_STOP_MS = 500

/** Opens the journal and makes the rest; nothing connects yet. Throws ERR_JOURNAL_* and ERR_CONFIG_*. */
export function createAgentBase(options: AgentOptions, identity: Identity): AgentBase {
  const { config, clock } = options
  const { enrolled } = identity.enrolment
  const conditions = createConditions(options)
  const unsafe = options.unsafeRuntime ?? []
  if (unsafe.length > 0) conditions.raise('unsafe_runtime', '', unsafe.join('; '))
  const storeTime = createStoreTime(clock)
  const findKey = (kid: string) => identity.storeKeys.get(kid)
  const metrics = createMetrics({ version: VERSION, agent: enrolled.agent })
  // Configuration faults must not leave the journal open, so it is opened after the directories are made.
  const late: { journal?: Journal; directories?: AgentBase['directories'] } = {}
  const memoryOf = (what: string) => (name: string) =>
    rememberInJournal(() => late.journal, `${what} ${name}`)
  const stopping = new AbortController()
  const discoveries = createDiscoveries(config, {
    ...{ conditions, clock, log: options.log, signal: stopping.signal, memoryOf: memoryOf('controllers') },
    writerOf: (name) => late.directories?.get(name)?.directory.status() ?? { connected: false },
  })
  const refusalsOf = memoryOf('bind_refusals')
  const directories = measured(createDirectories(config, { ...options, refusalsOf, discoveries }), {
    ...{ metrics, clock },
  })
  late.directories = directories
  const transport = createStoreTransport({
    ...{ caFile: config.store.caFile, env: options.env },
    clientCertificate: clientCertificateOf(config.store, { clock, conditions }),
  })
  const certificates = createCertificateWatch({ config, clock, conditions, discoveries }, () =>
    transport.readCertificate(
      config.store.url,
      AbortSignal.any([stopping.signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]),
    ),
  )
  const plainClient = createStoreClient({
    url: config.store.url,
    fetch: transport.fetch,
    identity: { agent: enrolled.agent, store: enrolled.store, signer: identity.keys.identity.signer },
    clock,
    nowMs: storeTime.nowMs,
    observe: storeTime.observe,
    timeoutMs: CALL_TIMEOUT_MS,
  })
  const client = measureStoreClient(plainClient, { metrics, clock })
  const documents = createDocumentCache(findKey)
  const lastOutcomes = createLastOutcomes()
  const forwarder = createAuditForwarder(config.audit, { conditions, clock })
  const journal = measureOutcomes(createJournal(config.stateDirectory), {
    ...{ metrics, lastOutcomes, probed: probedAccounts(config.directories) },
    documents,
  })
  late.journal = journal
  const audit = openAudit(options, identity, journal, { conditions, forwarder, storeTime })
  return {
    ...options,
    ...{ enrolled, conditions, metrics, journal, audit, storeTime, findKey, client, directories, documents },
    ...{ lastOutcomes, certificates, discoveries },
    ...createPause({ conditions, journal, clock }),
    ...createGoneServers(),
    keys: identity.keys,
    leases: createLeases(clock),
    limits: createLimits({ journal, storeTime, conditions, log: options.log }, limitsOf(config)),
    pulse: createPulse(clock),
    stopping,
    close: async () => {
      const closed = Promise.all([...directories.values()].map(({ directory }) => directory.stop()))
      // One that just connects gives up by itself; what follows must not wait for that.
      await Promise.race([closed, clock.sleep(DIRECTORY_STOP_MS)])
      await transport.close()
      await audit.stop()
      await forwarder.stop()
      journal.close()
    },
  }
}

const measured = (
  directories: ReadonlyMap<string, ServedDirectory>,
  parts: { readonly metrics: Metrics; readonly clock: Clock },
): ReadonlyMap<string, ServedDirectory> =>
  new Map(
    [...directories].map(([name, served]) => [
      name,
      { ...served, directory: measureDirectory(served.directory, parts) },
    ]),
  )
const MEGABYTE = 1024 * 1024
const DAY_MS = 86_400_000

function openAudit(
  { config, clock, log }: AgentOptions,
  { enrolment, keys }: Identity,
  journal: Journal,
  {
    conditions,
    forwarder,
    storeTime,
  }: { readonly conditions: Conditions; readonly forwarder: AuditForwarder; readonly storeTime: StoreTime },
): Audit {
  const { fileMegabytes, fileDays, keepDays, keepMegabytes } = config.audit
  return createAudit({
    directory: auditDirectoryOf(config.stateDirectory),
    signer: { agent: enrolment.enrolled.agent, ...keys.identity },
    keeping: {
      ...{ fileBytes: fileMegabytes * MEGABYTE, fileMs: fileDays * DAY_MS },
      ...{ keepMs: keepDays * DAY_MS, keepBytes: keepMegabytes * MEGABYTE },
    },
    source: {
      ...{ entries: journal.auditEntries, appended: journal.auditAppended, taken: journal.auditTaken },
      ...{ resume: journal.auditResume, settle: journal.auditSettle },
    },
    // A clock that was set far ahead must not make the whole record too old.
    confirmedNowMs: () =>
      storeTime.isUncertain() || storeTime.isSkewed() ? undefined : storeTime.earliestMs(),
    written: forwarder.written,
    ...{ conditions, clock, log: log.child({ component: 'audit' }) },
  })
}

const limitsOf = ({ directories }: AgentConfig): ReadonlyMap<string, WriteLimits> =>
  new Map(Object.entries(directories).map(([name, { limits }]) => [name, writeLimitsOf(limits)]))

function createGoneServers(): Pick<AgentBase, 'goneServers' | 'setGoneServers'> {
  let gone: GoneServers = new Set()
  return {
    goneServers: () => gone,
    setGoneServers: (servers) => {
      gone = new Set(servers)
    },
  }
}
