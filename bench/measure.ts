// One run: the bare directory and the whole way take turns, so that what changes on the machine meanwhile meets both.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { startWorld, type World, type WorldUser } from '../test/servers/writeback-world.ts'
import { peakMemoryMb, usageDuring } from './process-usage.ts'
import { openRawLanes, type RawLane } from './raw-directory.ts'
import { ask, awaitApplied, resetOnce, type WholeWay } from './whole-way.ts'

/** How much is measured. */
export interface Plan {
  readonly rounds: number
  /** Operations one after the other, of each kind, in each round. */
  readonly idlePerRound: number
  /** Operations at once, of each kind, in each round, each on a user of its own. */
  readonly burst: number
  readonly starts: number
  /** Connections of the agent for writing, and for reading; as many raw lanes. */
  readonly connections: number
}

/** Processors' time in ms. */
export interface Usage {
  readonly agent: number
  readonly redis: number
  readonly store: number
}

/** What one round gave. Times of idle operations in ms, bursts in operations a second. */
export interface Round {
  readonly modifyMs: readonly number[]
  readonly readAndModifyMs: readonly number[]
  readonly wholeWay: readonly WholeWay[]
  readonly idleUsage: Usage
  readonly modifyRate: number
  readonly readAndModifyRate: number
  readonly wholeWayRate: number
  readonly burstUsage: Usage
}

/** What one run gave. */
export interface Measured {
  readonly rounds: readonly Round[]
  /** Processors' time in ms of an agent that has nothing to do, each second. */
  readonly restingUsage: Usage
  readonly peakMemoryMb: number
  readonly redisPeakMemoryMb: number
  readonly storePeakMemoryMb: number
  readonly startMs: readonly number[]
}

const REST_MS = 2_000
const WARM_UP = 20
const AT_ONCE = 4

/** Measures everything in a world of its own. `say` hears of the progress. */
export async function measure(plan: Plan, say: (line: string) => void): Promise<Measured> {
  say('starting domain, store and agent')
  const world = await startWorld({
    domain: { model: 'prefork' },
    proxied: false,
    program: 'built',
    logLevel: 'info',
    // Every account is written many times, all at once: what the limits are there to stop.
    directorySettings: `    connections: ${plan.connections}
    limits: { perAccountAndHour: 1000, perMinute: 100000, burst: 1000000 }`,
  })
  try {
    return await measureWorld(world, plan, say)
  } finally {
    await world.stop()
  }
}

async function measureWorld(world: World, plan: Plan, say: (line: string) => void): Promise<Measured> {
  say(`creating ${plan.burst} users`)
  const users = await createUsers(world, plan.burst)
  const lanes = await openRawLanes(world.domain, plan.connections)
  say('warming up')
  for (const user of users.slice(0, WARM_UP)) await resetOnce(world, user)
  await inLanes(lanes, users, (lane, { anchor }) => lane.readAndModify(anchor))
  const rounds: Round[] = []
  for (let round = 1; round <= plan.rounds; round += 1) {
    say(`round ${round} of ${plan.rounds}`)
    rounds.push(await measureRound(world, lanes, users, plan))
  }
  for (const lane of lanes) lane.close()
  say('resting')
  const resting = await usageDuring(pidsOf(world), () => sleep(REST_MS))
  const { agent, redis, store } = pidsOf(world)
  const peaks = {
    peakMemoryMb: peakMemoryMb(agent),
    redisPeakMemoryMb: peakMemoryMb(redis),
    storePeakMemoryMb: peakMemoryMb(store),
  }
  say(`starting the agent ${plan.starts} times`)
  return {
    rounds,
    restingUsage: scaled(resting, 1000 / REST_MS),
    ...peaks,
    startMs: await timeStarts(world, plan),
  }
}

async function measureRound(
  world: World,
  lanes: readonly RawLane[],
  users: readonly WorldUser[],
  plan: Plan,
): Promise<Round> {
  const [lane] = lanes
  if (!lane) throw new Error('no raw lane')
  const few = users.slice(0, plan.idlePerRound)
  const modifyMs = await timeEach(few, ({ anchor }) => lane.modify(anchor))
  const readAndModifyMs = await timeEach(few, ({ anchor }) => lane.readAndModify(anchor))
  const wholeWay: WholeWay[] = []
  const idleUsage = await usageDuring(pidsOf(world), async () => {
    for (const user of few) wholeWay.push(await resetOnce(world, user))
  })
  const modifyRate = await inLanes(lanes, users, (at, { anchor }) => at.modify(anchor))
  const readAndModifyRate = await inLanes(lanes, users, (at, { anchor }) => at.readAndModify(anchor))
  let wholeWayRate = 0
  const requests = await askPaused(world, users)
  const burstUsage = await usageDuring(pidsOf(world), async () => {
    wholeWayRate = await release(world, requests)
  })
  return {
    ...{ modifyMs, readAndModifyMs, wholeWay, modifyRate, readAndModifyRate, wholeWayRate },
    idleUsage: scaled(idleUsage, 1 / few.length),
    burstUsage: scaled(burstUsage, 1 / users.length),
  }
}

async function timeEach(
  users: readonly WorldUser[],
  work: (user: WorldUser) => Promise<void>,
): Promise<number[]> {
  const times: number[] = []
  for (const user of users) {
    const begun = performance.now()
    await work(user)
    times.push(performance.now() - begun)
  }
  return times
}

/** Does `work` once for every user, one at a time in each lane; gives operations a second. */
async function inLanes<Lane>(
  lanes: readonly Lane[],
  users: readonly WorldUser[],
  work: (lane: Lane, user: WorldUser) => Promise<void>,
): Promise<number> {
  const waiting = users.values()
  const begun = performance.now()
  await Promise.all(
    lanes.map(async (lane) => {
      for (const user of waiting) await work(lane, user)
    }),
  )
  return (users.length * 1000) / (performance.now() - begun)
}

/** Seals a request for every user while the store lets nothing out; gives their ids in the order they will go. */
async function askPaused(world: World, users: readonly WorldUser[]): Promise<string[]> {
  await world.admin('setPause', { paused: true })
  const requests: string[] = []
  await inLanes(Array(AT_ONCE).fill(undefined), users, async (_, user) => {
    requests.push(await ask(world, user))
  })
  return requests
}

/** Ends the pause and waits for every verdict; gives requests a second, from the end of the pause to the last verdict. */
async function release(world: World, requests: readonly string[]): Promise<number> {
  const waiting = requests.values()
  const begun = performance.now()
  await world.admin('setPause', { paused: false })
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const request of waiting) await awaitApplied(world, request)
    }),
  )
  return (requests.length * 1000) / (performance.now() - begun)
}

async function timeStarts(world: World, plan: Plan): Promise<number[]> {
  const times: number[] = []
  for (let start = 0; start < plan.starts; start += 1) {
    await world.agent.stop()
    const begun = performance.now()
    await world.agent.start()
    times.push(performance.now() - begun)
  }
  return times
}

async function createUsers(world: World, count: number): Promise<WorldUser[]> {
  const users: WorldUser[] = []
  for (let index = 0; index < count; index += 1)
    users.push(await world.createUser({ name: `user${String(index).padStart(4, '0')}` }))
  return users
}

function pidsOf(world: World): Record<keyof Usage, number> {
  const redisPid = readFileSync(path.join(world.directory, 'state', 'redis', 'pid'), 'latin1')
  return { agent: world.agent.pid(), redis: Number(redisPid), store: world.store.pid() }
}

const scaled = ({ agent, redis, store }: Usage, factor: number): Usage => ({
  agent: agent * factor,
  redis: redis * factor,
  store: store * factor,
})

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
