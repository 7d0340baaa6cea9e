// The five observers of a crash run, and the checker's word on what they saw.
import { cpSync } from 'node:fs'
import path from 'node:path'
import { checkHistory } from '../history/check-history.ts'
import type { SupervisorEvent, Verdict } from '../history/event.ts'
import { readServerId, recordEndState, sampleAccounts } from '../history/record-directory.ts'
import { recordJournal } from '../history/record-journal.ts'
import { observeProxy, type ProxyObserver } from '../history/record-proxy.ts'
import { createRecorder } from '../history/record-run.ts'
import { recordStore } from '../history/record-store.ts'
import { oldPassword } from '../servers/canaries.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import type { SambaDomain } from '../servers/samba-domain.ts'
import type { WorldAgent } from '../servers/world-agents.ts'
import { DIRECTORY, type World, type WorldUser } from '../servers/writeback-world.ts'

/** What the harness tells of its own doing, and the eyes it lends. */
export interface CrashHistory {
  /** The eyes of the proxy before this agent. */
  readonly watch: (agent: string) => ProxyObserver['watch']
  /** The domain is there, and no agent yet. */
  readonly prepare: (domain: SambaDomain) => Promise<void>
  /** The world is there; nobody has asked for anything. */
  readonly begin: (world: World) => void
  readonly born: (user: WorldUser) => void
  /** The harness locked the account. */
  readonly locked: (user: WorldUser) => void
  /** `passwords`: as they are sealed, the new one last. */
  readonly asked: (request: string, user: WorldUser, passwords: readonly Buffer[]) => void
  readonly process: (agent: WorldAgent, what: Extract<SupervisorEvent, { kind: 'process' }>['what']) => void
  /** Ends the agents, lets every observer tell what it saw, and checks it. */
  readonly finish: (world: World) => Promise<Verdict>
}

const DRAIN_MS = 60_000
const MINIMUM_LENGTH = 7

/** Starts the record. `threshold`: wrong passwords that lock an account. */
export function createCrashHistory(agents: number, threshold: number): CrashHistory {
  const recorder = createRecorder({
    ...{ name: 'crash', seed: 0, drainMs: DRAIN_MS, historyRequired: false },
    ...{ dialect: 'active-directory', stampErrorMs: 3, journalErrorMs: 2_000 },
  })
  const ids = new Map<string, string>()
  const byAnchor = new Map<string, WorldUser>()
  const byDn = new Map<string, WorldUser>()
  const secrets = new Map<string, { name: string; secret: Buffer }[]>()
  const lengths = new Map<string, number>()
  let server = '?'
  let serviceAccount = ''
  const observers = new Map(
    Array.from({ length: agents }, (_, index) => `agent-${index + 1}`).map((name) => [
      name,
      observeProxy({
        recorder,
        server: () => server,
        agent: () => ids.get(name) ?? null,
        serviceAccount: () => serviceAccount,
        accountOf: (dn) => {
          const guid = /<GUID=([0-9a-f-]{36})>/i.exec(dn)?.[1]?.toLowerCase()
          return (guid === undefined ? byDn.get(dn.toLowerCase()) : byAnchor.get(guid))?.anchor ?? '?'
        },
      }),
    ]),
  )
  const process: CrashHistory['process'] = (agent, what) =>
    recorder.add({ at: recorder.now(), observer: 'supervisor', kind: 'process', agent: agent.id, what })
  const learn = (user: WorldUser, name: string, secret: Buffer) => {
    recorder.secrets.learn(name, secret)
    if (!name.startsWith('old:'))
      secrets.set(user.anchor, [{ name, secret }, ...(secrets.get(user.anchor) ?? [])])
  }
  return {
    watch: (agent) => observers.get(agent)?.watch ?? {},
    prepare: async (domain) => {
      server = await readServerId(domain)
      serviceAccount = domain.serviceAccountName
    },
    begin: (world) => {
      for (const agent of world.agents) {
        ids.set(agent.name, agent.id)
        if (agent.isRunning()) process(agent, 'started')
      }
    },
    born: (user) => {
      byAnchor.set(user.anchor, user)
      byDn.set(user.dn.toLowerCase(), user)
      recorder.add({
        ...{ at: recorder.now(), observer: 'directory', kind: 'account', account: user.anchor },
        ...{ directory: DIRECTORY, mayBeWritten: true },
        ...{ lockoutThreshold: threshold, minimumLength: MINIMUM_LENGTH },
      })
      learn(user, `first:${user.anchor}`, oldPassword())
    },
    locked: ({ anchor }) =>
      recorder.add({
        ...{ at: recorder.now(), observer: 'directory', kind: 'foreign', account: anchor },
        ...{ what: 'locked', server },
      }),
    asked: (request, user, passwords) => {
      const next = passwords.at(-1)
      if (!next) return
      lengths.set(request, next.length)
      learn(user, `new:${request}`, next)
      if (passwords.length > 1) learn(user, `old:${request}`, passwords[0] as Buffer)
    },
    process,
    finish: async (world) => {
      recorder.add({ at: recorder.now(), observer: 'supervisor', kind: 'faults_over' })
      await sampleAccounts(world.domain, byDn, recorder)
      await recordStore(copyStore(world), recorder, (request) => lengths.get(request))
      for (const agent of world.agents) {
        for (const proxy of [agent.proxy as LdapProxy]) proxy.forget()
        if (!agent.isRunning()) continue
        process(agent, 'asked_to_end')
        const status = await agent.stop()
        recorder.add({
          ...{ at: recorder.now(), observer: 'supervisor', kind: 'process', agent: agent.id },
          ...{ what: 'exited', status },
        })
      }
      await recordEndState(world.domain, byDn, (account) => secrets.get(account) ?? [], recorder)
      for (const agent of world.agents) recordJournal(agent, recorder)
      for (const { finish } of observers.values()) finish()
      return checkHistory(recorder.events())
    },
  }
}

/** The world with a copy of the store's files: the running store lets nobody else read its own. */
function copyStore(world: World): World {
  const directory = path.join(world.directory, 'copied')
  for (const name of ['store.db', 'store.db-wal'])
    cpSync(path.join(world.directory, 'store', name), path.join(directory, 'store', name))
  return { ...world, directory }
}
