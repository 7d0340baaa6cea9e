// The stage of a chaos run: a domain, the store, two agents with proxies of their own, accounts, and all five observers.
import { Attribute, Change } from 'ldapts'
import { recordAudit } from '../history/record-audit.ts'
import {
  type KnownSecret,
  readServerId,
  recordEndState,
  sampleAccounts,
} from '../history/record-directory.ts'
import { recordJournal } from '../history/record-journal.ts'
import { observeProxy } from '../history/record-proxy.ts'
import { createRecorder, type Recorder } from '../history/record-run.ts'
import { recordStore } from '../history/record-store.ts'
import { oldPassword } from '../servers/canaries.ts'
import type { DirectoryKind } from '../servers/directory-kinds.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { createGroup } from '../servers/slapd-admin.ts'
import type { ProofDirectory } from '../servers/turn-of-commit.ts'
import { DIRECTORY, startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'

/** Accounts that may be written, and those that must not. */
const OPEN_ACCOUNTS = 20
const CLOSED_ACCOUNTS = 2
const LOCKOUT_THRESHOLD = 5
const MINIMUM_LENGTH = 7
const DRAIN_MS = 30_000
const SAMPLE_MS = 1_000

const CLOSED_GROUP = 'closed'
const PROTECTION = `
    protection: { groups: ["cn=${CLOSED_GROUP},ou=Groups,dc=corp,dc=test"] }`
const DIRECTORY_SETTINGS = `    operationTimeoutSeconds: 3
    limits: { perAccountAndHour: 1000, perMinute: 100000, burst: 1000000 }`

/** An account on stage, with every password that it may have had. */
export interface Actor {
  readonly user: WorldUser
  readonly mayBeWritten: boolean
  readonly secrets: KnownSecret[]
  /** Requests without a verdict. */
  readonly open: Set<string>
}

/** The running stage. */
export interface Stage {
  readonly world: World<DirectoryKind>
  readonly recorder: Recorder
  readonly actors: readonly Actor[]
  readonly drainMs: number
  /** The one server's id. */
  readonly server: string
  /** Characters of the new password of a request. */
  readonly lengths: Map<string, number>
  /** False while the domain is being killed or started. */
  isDirectoryThere: boolean
}

/** How a run is started. */
export interface StageOptions {
  readonly directory: ProofDirectory
  readonly seed: number
  readonly plant: string | undefined
  readonly lifetimeSeconds: number
}

/** Starts everything. */
export async function startStage({
  directory: { kind, scheme },
  seed,
  plant,
  lifetimeSeconds,
}: StageOptions): Promise<Stage & { finish: () => Promise<void> }> {
  const recorder = createRecorder({
    name: 'chaos',
    seed,
    drainMs: DRAIN_MS,
    historyRequired: false,
    dialect: kind,
    stampErrorMs: 3,
    journalErrorMs: 2_000,
  })
  const ids = new Map<string, string>()
  const byAnchor = new Map<string, WorldUser>()
  const byDn = new Map<string, WorldUser>()
  let server = '?'
  let serviceAccount = ''
  const observers = ['agent-1', 'agent-2'].map((name) => ({
    name,
    ...observeProxy({
      recorder,
      server: () => server,
      agent: () => ids.get(name) ?? null,
      serviceAccount: () => serviceAccount,
      accountOf: (dn) => {
        const guid = /<GUID=([0-9a-f-]{36})>/i.exec(dn)?.[1]?.toLowerCase()
        const user = guid === undefined ? byDn.get(dn.toLowerCase()) : byAnchor.get(guid)
        return user?.anchor ?? '?'
      },
    }),
  }))
  const world = await startWorld<DirectoryKind>({
    kind,
    agents: 2,
    logLevel: 'info',
    requestLifetimeSeconds: lifetimeSeconds,
    directorySettings: DIRECTORY_SETTINGS + (kind === 'openldap' ? PROTECTION : ''),
    domain: {
      ...(scheme === undefined ? {} : { scheme }),
      policy: {
        minPasswordAgeMs: 0,
        minPasswordLength: MINIMUM_LENGTH,
        lockoutThreshold: LOCKOUT_THRESHOLD,
        lockoutDurationMs: 60_000,
        lockoutWindowMs: 60_000,
      },
    },
    watch: (agent) => observers.find(({ name }) => name === agent)?.watch ?? {},
    ...(plant === undefined
      ? {}
      : { agentImports: [`${import.meta.dirname}/install-plant.ts`], agentEnv: { CHAOS_PLANT: plant } }),
    beforeAgent: async (_directory, domain) => {
      server = await readServerId(domain)
      serviceAccount = domain.serviceAccountName
      if (domain.kind === 'openldap') await createGroup(await domain.admin(), CLOSED_GROUP, [domain.adminDn])
    },
  })
  for (const agent of world.agents) {
    ids.set(agent.name, agent.id)
    recorder.add({
      at: recorder.now(),
      observer: 'supervisor',
      kind: 'process',
      agent: agent.id,
      what: 'started',
    })
  }
  const actors = await createActors(world, recorder)
  for (const { user } of actors) {
    byAnchor.set(user.anchor, user)
    byDn.set(user.dn.toLowerCase(), user)
  }
  const stage: Stage = {
    ...{ world, recorder, actors, server },
    drainMs: DRAIN_MS,
    lengths: new Map(),
    isDirectoryThere: true,
  }
  const sampler = setInterval(() => {
    for (const { proxy } of world.agents) (proxy as LdapProxy).forget()
    if (stage.isDirectoryThere) void sampleAccounts(world.domain, byDn, recorder)
  }, SAMPLE_MS)
  return Object.assign(stage, {
    finish: async () => {
      clearInterval(sampler)
      await collect(stage, byDn, observers)
    },
  })
}

async function createActors(world: World<DirectoryKind>, recorder: Recorder): Promise<Actor[]> {
  const actors: Actor[] = []
  for (let index = 0; index < OPEN_ACCOUNTS + CLOSED_ACCOUNTS; index += 1) {
    const mayBeWritten = index < OPEN_ACCOUNTS
    const user = await createActor(world, `chaos${index}`, mayBeWritten)
    const name = `first:${user.anchor}`
    recorder.add({
      at: recorder.now(),
      observer: 'directory',
      kind: 'account',
      account: user.anchor,
      directory: DIRECTORY,
      mayBeWritten,
      lockoutThreshold: LOCKOUT_THRESHOLD,
      minimumLength: MINIMUM_LENGTH,
    })
    actors.push({ user, mayBeWritten, secrets: [{ name, secret: oldPassword() }], open: new Set() })
  }
  return actors
}

/** Active Directory marks whom nobody may write; in OpenLDAP the agent is told of a group. */
async function createActor(
  world: World<DirectoryKind>,
  name: string,
  mayBeWritten: boolean,
): Promise<WorldUser> {
  const { domain } = world
  if (mayBeWritten) return world.createUser({ name })
  if (domain.kind === 'active-directory') return world.createUser({ name, attributes: { adminCount: '1' } })
  const user = await world.createUser({ name })
  const member = new Attribute({ type: 'member', values: [user.dn] })
  const group = `cn=${CLOSED_GROUP},ou=Groups,${domain.baseDn}`
  await (await domain.admin()).modify(group, new Change({ operation: 'add', modification: member }))
  return user
}

/** Ends the agents, and lets every observer tell what it saw. */
async function collect(
  { world, recorder, actors, lengths }: Stage,
  byDn: ReadonlyMap<string, WorldUser>,
  observers: readonly { readonly finish: () => void }[],
): Promise<void> {
  await sampleAccounts(world.domain, byDn, recorder)
  for (const agent of world.agents) {
    const process = { observer: 'supervisor', kind: 'process', agent: agent.id } as const
    recorder.add({ at: recorder.now(), ...process, what: 'asked_to_end' })
    const status = await agent.stop()
    recorder.add({ at: recorder.now(), ...process, what: 'exited', status })
  }
  const requests = actors.flatMap(({ open }) => [...open])
  await recordStore(world, recorder, requests, (request) => lengths.get(request))
  const secrets = new Map(actors.map(({ user, secrets }) => [user.anchor, secrets.toReversed()]))
  await recordEndState(world.domain, byDn, (account) => secrets.get(account) ?? [], recorder)
  for (const agent of world.agents) {
    recordJournal(agent, recorder)
    recordAudit(agent, recorder)
  }
  for (const { finish } of observers) finish()
}
