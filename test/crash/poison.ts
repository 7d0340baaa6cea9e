// A request that ends the agent every time it comes to one step: it is given up with a true outcome, and the requests of
// others go on.
import { setTimeout as sleep } from 'node:timers/promises'
import type { WorldUser } from '../servers/writeback-world.ts'
import { planCrash, readDiary } from '../test-build/crash-plan.ts'
import type { WritingOperation } from '../test-build/crash-points.ts'
import type { CrashWorld } from './crash-world.ts'
import { type Judgement, judge } from './judge-cell.ts'
import { quantile } from './quantile.ts'

/** One poisonous request. */
interface Poison {
  readonly at: string
  readonly operation: WritingOperation
  readonly outcome: string
}

/** At three different steps: before anything, with the intent half kept, and with the write done. */
export const POISONS: readonly Poison[] = [
  { at: 'C9:before', operation: 'reset', outcome: 'failed/internal' },
  { at: 'C13:after', operation: 'change', outcome: 'failed/internal' },
  { at: 'C24:before', operation: 'reset', outcome: 'applied' },
]

/** What one poison cost the others. */
export interface PoisonResult extends Judgement {
  readonly deaths: number
  readonly downMs: number
  /** Of requests whose whole way fell into times in which the agent ran, and of all. */
  readonly up: Latencies
  readonly all: Latencies
}

interface Latencies {
  readonly count: number
  readonly p99Ms: number
  readonly longestMs: number
}

interface Timed {
  readonly outcome: string | null
  readonly from: number
  readonly to: number
}

const OTHERS = 4
const CALM_MS = 6_000
// Such as wait in the queue beside the poison when the agent first meets it.
const NEIGHBOURS = 3

/** How long requests of other users take while nothing is wrong. */
export async function measureCalm(crash: CrashWorld, { at }: Poison): Promise<Latencies> {
  const traffic = createTraffic(crash, await createOthers(crash, `calm${at.replace(':', '')}`))
  traffic.start()
  await sleep(CALM_MS)
  return latenciesOf(await traffic.stop())
}

/** Lets one poison loose beside the requests of others. */
export async function runPoison(crash: CrashWorld, poison: Poison): Promise<PoisonResult> {
  const { agent, world, proxies } = crash
  for (const proxy of proxies) proxy.forget()
  const earlier = readDiary(agent.configFile).length
  const others = await createOthers(crash, `by${poison.at.replace(':', '')}`)
  const subject = await crash.subject(poison.operation)
  const neighbours: Judged[] = []
  await world.admin('setPause', { paused: true })
  const request = await crash.ask(subject)
  for (let count = 0; count < NEIGHBOURS; count += 1) {
    const neighbour = await crash.subject('reset')
    neighbours.push({ subject: neighbour, request: await crash.ask(neighbour) })
  }
  planCrash(agent.configFile, { at: poison.at, request, isPoison: true })
  const supervisor = supervise(crash)
  const traffic = createTraffic(crash, others)
  await world.admin('setPause', { paused: false })
  traffic.start()
  const judgement = await judge(crash, subject, request, { outcomes: [poison.outcome], withinMs: 90_000 })
  await sleep(CALM_MS)
  const timed = await traffic.stop()
  const downs = await supervisor.end()
  planCrash(agent.configFile, undefined)
  const isUp = ({ from, to }: Timed) => downs.every((down) => to < down.from || from > down.to)
  return {
    ...judgement,
    deaths: readDiary(agent.configFile).length - earlier,
    downMs: downs.reduce((sum, { from, to }) => sum + to - from, 0),
    up: latenciesOf(timed.filter(isUp)),
    all: latenciesOf(timed),
    faults: [...judgement.faults, ...(await findHarmed(crash, neighbours)), ...findUnserved(timed)],
  }
}

interface Judged {
  readonly subject: Awaited<ReturnType<CrashWorld['subject']>>
  readonly request: string
}

async function findHarmed(crash: CrashWorld, neighbours: readonly Judged[]): Promise<readonly string[]> {
  const faults: string[] = []
  for (const { subject, request } of neighbours)
    faults.push(
      ...(await judge(crash, subject, request)).faults.map((fault) => `a neighbour’s request: ${fault}`),
    )
  return faults
}

function findUnserved(timed: readonly Timed[]): readonly string[] {
  const bad = timed.filter(({ outcome }) => outcome !== 'applied')
  return bad.length === 0
    ? []
    : [`${bad.length} of ${timed.length} requests of others ended otherwise: ${bad[0]?.outcome}`]
}

/** Starts the agent again whenever it died; tells when it was down. */
function supervise({ agent, history }: CrashWorld) {
  const downs: { from: number; to: number }[] = []
  let isOver = false
  const loop = async () => {
    while (!isOver) {
      await sleep(3)
      if (agent.isRunning()) continue
      const from = performance.now()
      history.process(agent, 'killed')
      history.process(agent, 'started')
      await agent.start().catch(() => undefined)
      downs.push({ from, to: performance.now() })
    }
  }
  const running = loop()
  return {
    end: async () => {
      isOver = true
      await running
      if (agent.isRunning()) return downs
      history.process(agent, 'started')
      await agent.start()
      return downs
    },
  }
}

const createOthers = ({ createUser }: CrashWorld, name: string): Promise<readonly WorldUser[]> =>
  Promise.all(Array.from({ length: OTHERS }, (_, index) => createUser(`${name}${index}`)))

/** No directory takes a password again that it remembers. */
const passwordOf = (round: number): Buffer => Buffer.from(`Canary-Round!${100 + round}-aAaa`)

/** Resets of other users: each asks for the next one when the last one has ended. */
function createTraffic({ world, reset }: CrashWorld, users: readonly WorldUser[]) {
  const timed: Timed[] = []
  let isOver = false
  let running: Promise<unknown> = Promise.resolve()
  const loop = async (user: WorldUser) => {
    for (let round = 0; !isOver; round += 1) {
      const from = performance.now()
      const request = await reset(user, passwordOf(round))
      const { outcome } = await world.verdict(request, 90_000)
      timed.push({ outcome, from, to: performance.now() })
    }
  }
  return {
    start: () => {
      running = Promise.all(users.map(loop))
    },
    stop: async (): Promise<readonly Timed[]> => {
      isOver = true
      await running
      return timed
    },
  }
}

function latenciesOf(timed: readonly Timed[]): Latencies {
  const spans = timed.map(({ from, to }) => to - from)
  return { count: spans.length, p99Ms: quantile(spans, 0.99), longestMs: Math.max(0, ...spans) }
}
