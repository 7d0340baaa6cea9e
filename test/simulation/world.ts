// One world of one seed: three agents, the store, a directory, and the observers that write the history.
import type { HistoryEvent } from '../history/event.ts'
import { createActiveDirectory } from './active-directory-model.ts'
import { createLink, type LinkFaults } from './directory-link.ts'
import {
  type DirectoryModel,
  FINE_GRAINED_DN,
  type ModelAccount,
  type ModelPolicy,
} from './directory-model.ts'
import { agentKeys, DIRECTORY } from './keys-of-the-run.ts'
import { createDoor, createLog, createStoreObserver, type Record } from './observers.ts'
import { dialectOf } from './openldap-traits.ts'
import { createOpenLdapGround } from './openldap-world.ts'
import { enterRun, uuid } from './own-the-process.ts'
import { createScheduler, type Scheduler } from './scheduler.ts'
import { createSecrets, type Secrets } from './secrets.ts'
import { createSimulatedAgent, type SimulatedAgent } from './simulated-agent.ts'
import { createSimulatedDirectory, type Door, type OpenSession } from './simulated-directory.ts'
import { createSimulatedStore, type SimulatedStore } from './simulated-store.ts'
import { createSimulatedFetch, type StoreFaults } from './store-network.ts'
import { forgetTokens } from './token-jose.ts'

/** What faults turn. */
export interface Switches {
  linkFaults: LinkFaults | undefined
  storeFaults: StoreFaults | undefined
  /** `agent server` to how the way is; absent: open. */
  readonly ways: Map<string, 'refused' | 'silent'>
  readonly storeCuts: Set<string>
}

/** How one world is, drawn from its seed. */
export interface Traits {
  readonly accounts: readonly ModelAccount[]
  readonly policies: { readonly domain: ModelPolicy; readonly fine: ModelPolicy }
  readonly offersHints: boolean
  readonly showsMetadata: boolean
  readonly mayWriteMarker: boolean
  readonly longestLagMs: number
  /** Store clock minus true time. */
  readonly storeAheadMs: number
  readonly lifetimeMs: number
}

/** One world. */
export interface World {
  readonly seed: number
  readonly scheduler: Scheduler
  readonly traits: Traits
  readonly secrets: Secrets
  readonly model: DirectoryModel
  readonly store: SimulatedStore
  readonly agents: readonly SimulatedAgent[]
  readonly switches: Switches
  readonly history: HistoryEvent[]
  readonly record: Record
  /** How often each fault happened. */
  readonly faults: Map<string, number>
  readonly note: (fault: string) => void
  /** What was said where no password may be. */
  readonly sinks: Map<string, string[]>
  /** How many modifies are on their way. */
  readonly underWay: () => number
}

export const START_MS = 1_790_000_000_000
const ACCOUNTS = 20
const AGENTS = ['agent-1', 'agent-2', 'agent-3'] as const

type Ground = Pick<
  World,
  | 'seed'
  | 'scheduler'
  | 'traits'
  | 'secrets'
  | 'switches'
  | 'history'
  | 'record'
  | 'faults'
  | 'note'
  | 'sinks'
>

/** Makes the world of a seed; nothing runs yet. */
export async function createWorld(seed: number): Promise<World> {
  const ground = createGround(seed)
  const { scheduler, traits, secrets, record } = ground
  const firsts = new Map(traits.accounts.map(({ guid }) => [guid, secrets.make(`first:${guid}`)]))
  const { policies, accounts, mayWriteMarker } = traits
  const made = {
    ...{ scheduler, policy: policies.domain, finePolicy: policies.fine, accounts, mayWriteMarker },
    firstPassword: (guid: string) => firsts.get(guid) ?? '',
  }
  const { model, openSession } =
    dialectOf(seed) === 'openldap'
      ? createOpenLdapGround(ground, made)
      : { model: createActiveDirectory({ ...made, lagMs: () => traits.longestLagMs }) }
  recordStart(ground, model)
  const names = new Map(AGENTS.map((name) => [uuid('7'), name]))
  const store = createSimulatedStore({
    ...{ scheduler, aheadMs: traits.storeAheadMs, lifetimeMs: traits.lifetimeMs },
    log: createLog((line) => sinkOf(ground, 'log of the store').push(line)),
    observer: createStoreObserver(record, (id) => names.get(id) ?? id),
  })
  const counter = { underWay: 0 }
  const door = createDoor(model, secrets, record)
  const agents: SimulatedAgent[] = []
  for (const [id, name] of names)
    agents.push(await createAgent(ground, { id, name, model, openSession, store, door, counter }))
  return { ...ground, model, store, agents, underWay: () => counter.underWay }
}

function createGround(seed: number): Ground {
  const scheduler = createScheduler(seed, START_MS)
  enterRun(scheduler)
  forgetTokens()
  const history: HistoryEvent[] = []
  const faults = new Map<string, number>()
  return {
    ...{ seed, scheduler, traits: drawTraits(scheduler), secrets: createSecrets(), history, faults },
    record: (observation, at = scheduler.now()) => void history.push({ at, ...observation } as HistoryEvent),
    note: (fault) => void faults.set(fault, (faults.get(fault) ?? 0) + 1),
    switches: { linkFaults: undefined, storeFaults: undefined, ways: new Map(), storeCuts: new Set() },
    sinks: new Map(),
  }
}

function sinkOf({ sinks }: Pick<World, 'sinks'>, name: string): string[] {
  const known = sinks.get(name) ?? []
  sinks.set(name, known)
  return known
}

function drawTraits({ chance }: Scheduler): Traits {
  const lockout = {
    lockoutThreshold: chance.pick([0, 3, 5, 10]),
    lockoutDurationMs: 30_000,
    lockoutWindowMs: 30_000,
  }
  const domain = {
    ...{ minimumLength: chance.pick([7, 12]), historyLength: chance.pick([0, 3, 24]) },
    ...{ minimumAgeMs: chance.pick([0, 0, 0, 20_000]), ...lockout },
  }
  return {
    accounts: Array.from({ length: ACCOUNTS }, (_, index) => {
      const mayBeWritten = index < ACCOUNTS - 2
      const guid = `${chance.hex(8)}-${chance.hex(4)}-4${chance.hex(3)}-8${chance.hex(3)}-${chance.hex(8)}0000`
      return {
        guid,
        mayBeWritten,
        policyDn: mayBeWritten && chance.happens(0.2) ? FINE_GRAINED_DN : undefined,
      }
    }),
    policies: { domain, fine: { ...domain, minimumLength: 14, lockoutThreshold: chance.pick([0, 5]) } },
    offersHints: chance.happens(0.7),
    showsMetadata: chance.happens(0.93),
    mayWriteMarker: chance.happens(0.98),
    longestLagMs: chance.pick([50, 1_000, 8_000, 30_000]),
    storeAheadMs: chance.between(-3_000, 3_000),
    lifetimeMs: chance.pick([10_000, 18_000, 30_000, 50_000]),
  }
}

function recordStart({ seed, traits, record }: Ground, model: DirectoryModel): void {
  record({
    ...{ observer: 'supervisor', kind: 'run', name: `seed ${seed}`, seed, drainMs: 30_000 },
    ...{ historyRequired: traits.offersHints, dialect: model.dialect, withoutMarker: !traits.mayWriteMarker },
  })
  record({ observer: 'supervisor', kind: 'clock', of: 'store', aheadMs: traits.storeAheadMs })
  for (const { guid, mayBeWritten } of traits.accounts)
    record({
      ...{ observer: 'directory', kind: 'account', account: guid, directory: DIRECTORY, mayBeWritten },
      lockoutThreshold: model.policyOf(guid).lockoutThreshold,
      minimumLength: model.policyOf(guid).minimumLength,
    })
  for (const { id, aheadMs } of model.servers) {
    record({ observer: 'supervisor', kind: 'server', server: id, isReachable: true })
    record({ observer: 'supervisor', kind: 'clock', of: id, aheadMs })
  }
}

async function createAgent(
  ground: Ground,
  parts: {
    readonly id: string
    readonly name: string
    readonly model: DirectoryModel
    readonly openSession?: OpenSession | undefined
    readonly store: SimulatedStore
    readonly door: Door
    readonly counter: { underWay: number }
  },
): Promise<SimulatedAgent> {
  const { scheduler, switches, record, note, traits } = ground
  const { id, name, model, openSession, store, door, counter } = parts
  const wallAheadMs = scheduler.chance.between(-1_500, 1_500)
  record({ observer: 'supervisor', kind: 'clock', of: name, aheadMs: wallAheadMs })
  const network = {
    ...{ scheduler, store, faults: () => switches.storeFaults },
    isCut: (agent: string) => switches.storeCuts.has(agent),
    note: (fault: string) => note(`store ${fault}`),
    contacted: (agent: string, host: string) =>
      record({ observer: 'supervisor', kind: 'contact', agent, host, isAllowed: false }),
    pauseHeard: (agent: string, on: boolean) => record({ observer: 'store', kind: 'pause_heard', agent, on }),
    heard: (text: string) => void sinkOf(ground, 'wire to the store').push(text),
  }
  const link = {
    ...{ scheduler, counter, faults: () => switches.linkFaults },
    wayTo: (agent: string, server: { readonly id: string; readonly isUp: boolean }) =>
      server.isUp ? (switches.ways.get(`${agent} ${server.id}`) ?? 'open') : ('refused' as const),
    note: (fault: string) => note(`link ${fault}`),
  }
  return createSimulatedAgent({
    ...{ scheduler, name, id, keys: await agentKeys(name), wallAheadMs },
    log: createLog((line) => sinkOf(ground, `log of ${name}`).push(line)),
    fetchOf: (owner) => createSimulatedFetch(network, owner, name),
    directoryOf: (owner, clock) =>
      createSimulatedDirectory({
        ...{ name: DIRECTORY, agent: name, model, link: createLink(link, owner, name), door, clock },
        ...{ nowMs: scheduler.now, offersHints: traits.offersHints, showsMetadata: traits.showsMetadata },
        policies: traits.policies,
        ...(openSession === undefined ? {} : { openSession }),
      }),
    queued: (entry) => void sinkOf(ground, 'queue').push(entry),
    happened: (what) => record({ observer: 'supervisor', kind: 'process', agent: name, what }),
  })
}
