import { checkHistory } from '../history/check-history.ts'
import type { SupervisorEvent, Verdict } from '../history/event.ts'
import { recordAudit } from '../history/record-audit.ts'
import {
  type KnownSecret,
  readServerId,
  recordEndState,
  sampleAccounts,
} from '../history/record-directory.ts'
import { recordJournal } from '../history/record-journal.ts'
import { observeProxy, type ProxyObserver } from '../history/record-proxy.ts'
import { createRecorder, type Recorder } from '../history/record-run.ts'
import { recordStore } from '../history/record-store.ts'
import { oldPassword } from '../servers/canaries.ts'
import type { DirectoryKind, TestDomain } from '../servers/directory-kinds.ts'
import type { WorldAgent } from '../servers/world-agents.ts'
import { DIRECTORY, type World, type WorldUser } from '../servers/writeback-world.ts'

/** What the harness tells of its own doing, and the eyes it lends. */
export interface CrashHistory {
  /** The eyes of the proxy before this agent. */
  readonly watch: (agent: string) => ProxyObserver['watch']
  /** The domain is there, and no agent yet. */
  readonly prepare: (domain: TestDomain) => Promise<void>
  /** The world is there; nobody has asked for anything. */
  readonly begin: (world: World<DirectoryKind>) => void
  readonly born: (user: WorldUser) => void
  /** The harness locked the account. */
  readonly locked: (user: WorldUser) => void
  /** `passwords`: as they are sealed, the new one last. */
  readonly asked: (request: string, user: WorldUser, passwords: readonly Buffer[]) => void
  readonly process: (
    agent: WorldAgent,
    what: Extract<SupervisorEvent, { kind: 'process' }>['what'],
    status?: number | string,
  ) => void
  /** Ends the agents, lets every observer tell what it saw, and checks it. */
  readonly finish: (world: World<DirectoryKind>) => Promise<Verdict>
}

const DRAIN_MS = 60_000
const MINIMUM_LENGTH = 7

/** What the record of one run is made of. */
interface Scene {
  readonly recorder: Recorder
  /** Ids by the names of agents. */
  readonly ids: Map<string, string>
  readonly byAnchor: Map<string, WorldUser>
  readonly byDn: Map<string, WorldUser>
  /** By account, the newest first. */
  readonly secrets: Map<string, KnownSecret[]>
  /** Characters of the new password of a request. */
  readonly lengths: Map<string, number>
  readonly requests: string[]
  server: string
  serviceAccount: string
}

/** Starts the record. `threshold`: wrong passwords that lock an account. */
export function createCrashHistory(agents: number, threshold: number, kind: DirectoryKind): CrashHistory {
  const scene = createScene(kind)
  const { recorder, ids } = scene
  const names = Array.from({ length: agents }, (_, index) => `agent-${index + 1}`)
  const observers = new Map(names.map((name) => [name, observeAgent(scene, name)]))
  const process: CrashHistory['process'] = (agent, what, status) =>
    recorder.add({
      ...{ at: recorder.now(), observer: 'supervisor', kind: 'process', agent: agent.id, what },
      ...(status === undefined ? {} : { status }),
    })
  return {
    watch: (agent) => observers.get(agent)?.watch ?? {},
    prepare: async (domain) => {
      scene.server = await readServerId(domain)
      scene.serviceAccount = domain.serviceAccountName
    },
    begin: (world) => {
      for (const agent of world.agents) {
        ids.set(agent.name, agent.id)
        if (agent.isRunning()) process(agent, 'started')
      }
    },
    born: (user) => noteBirth(scene, user, threshold),
    locked: ({ anchor }) =>
      recorder.add({
        ...{ at: recorder.now(), observer: 'directory', kind: 'foreign', account: anchor },
        ...{ what: 'locked', server: scene.server },
      }),
    asked: (request, user, passwords) => {
      scene.requests.push(request)
      const next = passwords.at(-1)
      if (!next) return
      scene.lengths.set(request, next.length)
      learn(scene, user, `new:${request}`, next)
      if (passwords.length > 1) recorder.secrets.learn(`old:${request}`, passwords[0] as Buffer)
    },
    process,
    finish: async (world) => {
      recorder.add({ at: recorder.now(), observer: 'supervisor', kind: 'faults_over' })
      await sampleAccounts(world.domain, scene.byDn, recorder)
      for (const agent of world.agents) await endAgent(agent, process)
      await recordStore(world, recorder, scene.requests, (request) => scene.lengths.get(request))
      await recordEndState(world.domain, scene.byDn, (account) => scene.secrets.get(account) ?? [], recorder)
      for (const agent of world.agents) {
        recordJournal(agent, recorder)
        recordAudit(agent, recorder)
      }
      for (const { finish } of observers.values()) finish()
      return checkHistory(recorder.events())
    },
  }
}

const createScene = (dialect: DirectoryKind): Scene => ({
  recorder: createRecorder({
    ...{ name: 'crash', seed: 0, drainMs: DRAIN_MS, historyRequired: false },
    ...{ dialect, stampErrorMs: 3, journalErrorMs: 2_000 },
  }),
  ...{
    ids: new Map(),
    byAnchor: new Map(),
    byDn: new Map(),
    secrets: new Map(),
    lengths: new Map(),
    requests: [],
  },
  ...{ server: '?', serviceAccount: '' },
})

const observeAgent = (scene: Scene, name: string): ProxyObserver =>
  observeProxy({
    recorder: scene.recorder,
    server: () => scene.server,
    agent: () => scene.ids.get(name) ?? null,
    serviceAccount: () => scene.serviceAccount,
    accountOf: (dn) => {
      const guid = /<GUID=([0-9a-f-]{36})>/i.exec(dn)?.[1]?.toLowerCase()
      const user = guid === undefined ? scene.byDn.get(dn.toLowerCase()) : scene.byAnchor.get(guid)
      return user?.anchor ?? '?'
    },
  })

function noteBirth(scene: Scene, user: WorldUser, threshold: number): void {
  scene.byAnchor.set(user.anchor, user)
  scene.byDn.set(user.dn.toLowerCase(), user)
  scene.recorder.add({
    ...{ at: scene.recorder.now(), observer: 'directory', kind: 'account', account: user.anchor },
    ...{ directory: DIRECTORY, mayBeWritten: true },
    ...{ lockoutThreshold: threshold, minimumLength: MINIMUM_LENGTH },
  })
  learn(scene, user, `first:${user.anchor}`, oldPassword())
}

function learn({ recorder, secrets }: Scene, { anchor }: WorldUser, name: string, secret: Buffer): void {
  recorder.secrets.learn(name, secret)
  secrets.set(anchor, [{ name, secret }, ...(secrets.get(anchor) ?? [])])
}

async function endAgent(agent: WorldAgent, process: CrashHistory['process']): Promise<void> {
  if (!agent.isRunning()) return
  process(agent, 'asked_to_end')
  process(agent, 'exited', await agent.stop())
}
