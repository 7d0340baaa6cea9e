// One run on OpenLDAP: with 1, 8 and 64 requests at once, the bare directory and the whole way take turns.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { startWorld, type World, type WorldUser } from '../test/servers/writeback-world.ts'
import { peakMemoryMb, usageDuring } from './process-usage.ts'
import { openOpenLdapLanes } from './raw-openldap.ts'
import { awaitApplied, begin, resetOnce } from './whole-way.ts'

/** How much is measured. */
export interface OpenLdapPlan {
  readonly rounds: number
  /** Requests at once, and how many of each kind then in each round. */
  readonly levels: readonly { readonly atOnce: number; readonly operations: number }[]
  readonly users: number
  /** Connections of the agent for writing, and for reading; at most as many raw lanes. */
  readonly connections: number
  /** Where the processor profiles of agent and store go, of the last level in the last round; undefined: none are taken. */
  readonly profiles?: string | undefined
}

/** Processors' time in ms, each operation. `load`: the benchmark itself, which stands for the browsers. */
export interface OpenLdapUsage {
  readonly agent: number
  readonly store: number
  readonly redis: number
  readonly slapd: number
  readonly load: number
}

/** What one kind of operation did: how long each took, and how many a second all together. */
export interface Flow {
  readonly timesMs: readonly number[]
  readonly rate: number
}

/** What one level gave in one round. `wholeWay` is timed from the sealed password handed in to the verdict. */
export interface OpenLdapRound {
  readonly atOnce: number
  readonly raw: Flow
  readonly wholeWay: Flow
  readonly usage: OpenLdapUsage
}

/** What one run gave. */
export interface OpenLdapMeasured {
  readonly rounds: readonly OpenLdapRound[]
  readonly peakMemoryMb: number
}

type OpenLdapWorld = World<'openldap'>

/** Measures everything in a world of its own. `say` hears of the progress. */
export async function measureOpenLdap(
  plan: OpenLdapPlan,
  say: (line: string) => void,
): Promise<OpenLdapMeasured> {
  say('starting slapd, store and agent')
  const world = await startWorld({
    ...{ kind: 'openldap', proxied: false, program: 'built', logLevel: 'info' },
    // Every account is written many times, all at once: what the limits are there to stop.
    directorySettings: `    connections: ${plan.connections}
    limits: { perAccountAndHour: 1000, perMinute: 100000, burst: 1000000 }`,
    ...(plan.profiles === undefined
      ? {}
      : { agentEnv: profiling(plan.profiles, 'agent'), storeEnv: profiling(plan.profiles, 'store') }),
  })
  try {
    say(`creating ${plan.users} users`)
    const users: WorldUser[] = []
    for (let index = 0; index < plan.users; index += 1)
      users.push(await world.createUser({ name: `user${index}` }))
    say('warming up')
    for (const user of users.slice(0, 40)) await resetOnce(world, user)
    const rounds: OpenLdapRound[] = []
    for (let round = 1; round <= plan.rounds; round += 1)
      for (const level of plan.levels) {
        say(`round ${round} of ${plan.rounds}: ${level.atOnce} at once`)
        const isProfiled =
          plan.profiles !== undefined && round === plan.rounds && level === plan.levels.at(-1)
        rounds.push(await measureLevel(world, users, level, { ...plan, isProfiled }))
      }
    return { rounds, peakMemoryMb: peakMemoryMb(world.agent.pid()) }
  } finally {
    await world.stop()
  }
}

async function measureLevel(
  world: OpenLdapWorld,
  users: readonly WorldUser[],
  { atOnce, operations }: OpenLdapPlan['levels'][number],
  { connections, isProfiled }: { readonly connections: number; readonly isProfiled: boolean },
): Promise<OpenLdapRound> {
  const whose = Array.from({ length: operations }, (_, index) => users[index % users.length] as WorldUser)
  const lanes = await openOpenLdapLanes(world.domain, Math.min(atOnce, connections))
  const raw = await flow(lanes, whose, (lane, { anchor }) => lane.readAndModify(anchor))
  for (const lane of lanes) lane.close()
  // Created and sealed before anything is timed: that is the work of people's browsers, not of this machine.
  const sealed: Awaited<ReturnType<typeof begin>>[] = []
  for (const user of whose) sealed.push(await begin(world, user))
  let wholeWay: Flow = { timesMs: [], rate: 0 }
  if (isProfiled) switchProfiles(world)
  const used = await usageDuring(pidsOf(world), async () => {
    wholeWay = await flow(Array(atOnce).fill(undefined), sealed, async (_, { seal, request }) => {
      await seal()
      await awaitApplied(world, request)
    })
  })
  if (isProfiled) switchProfiles(world)
  const each = Object.entries(used).map(([name, ms]) => [name, ms / operations])
  return { atOnce, raw, wholeWay, usage: Object.fromEntries(each) as OpenLdapUsage }
}

/** Does `work` once for each of `items`, one at a time in each lane. */
async function flow<Lane, Item>(
  lanes: readonly Lane[],
  items: readonly Item[],
  work: (lane: Lane, item: Item) => Promise<void>,
): Promise<Flow> {
  const waiting = items.values()
  const timesMs: number[] = []
  const begun = performance.now()
  await Promise.all(
    lanes.map(async (lane) => {
      for (const item of waiting) {
        const from = performance.now()
        await work(lane, item)
        timesMs.push(performance.now() - from)
      }
    }),
  )
  return { timesMs, rate: (items.length * 1000) / (performance.now() - begun) }
}

function pidsOf(world: OpenLdapWorld): Record<keyof OpenLdapUsage, number> {
  const redis = Number(readFileSync(path.join(world.directory, 'state', 'redis', 'pid'), 'latin1'))
  return {
    agent: world.agent.pid(),
    store: world.store.pid(),
    redis,
    slapd: world.domain.pid,
    load: process.pid,
  }
}

const PROFILER = path.join(import.meta.dirname, 'profile-process.ts')

const profiling = (directory: string, name: string) => ({
  NODE_OPTIONS: `--import=${PROFILER}`,
  PROFILE_FILE: path.join(directory, `${name}.cpuprofile`),
})

/** Lets agent and store begin their profiles, or end them. */
function switchProfiles(world: OpenLdapWorld): void {
  for (const { pid } of [world.agent, world.store]) process.kill(pid(), 'SIGUSR2')
}
