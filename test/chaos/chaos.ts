// node test/chaos/chaos.ts [--minutes 2] [--seed N] [--plant NAME] [--file FILE]
// [--directory openldap] [--scheme '{ARGON2}']: two real agents, a directory, the store and steady work, a fault every three seconds; then all is healed, and the history must keep every promise.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Verdict as StoreVerdict } from '../../src/protocol/sealer-calls.ts'
import { checkHistory } from '../history/check-history.ts'
import { describeVerdict } from '../history/describe-verdict.ts'
import type { HistoryEvent } from '../history/event.ts'
import { chooseDirectory, readCommit, turnOf, wordsOf } from '../servers/turn-of-commit.ts'
import { listFaults, startAgent } from './chaos-faults.ts'
import { startLoad } from './chaos-load.ts'
import { startSchedule } from './chaos-schedule.ts'
import { type Stage, startStage } from './chaos-world.ts'
import { createRandom } from './random.ts'

// A share of the people seals late: their requests have 10 to 30 s left.
const LIFETIME_SECONDS = 60

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    plant: { type: 'string' },
    directory: { type: 'string' },
    scheme: { type: 'string' },
    file: { type: 'string' },
  },
})

/** Waits until every request is closed, but not for ever. */
async function drain({ world, actors, drainMs, recorder }: Stage): Promise<void> {
  const until = recorder.now() + drainMs
  const open = new Set(actors.flatMap((actor) => [...actor.open]))
  while (open.size > 0 && recorder.now() < until) {
    for (const request of open) {
      const { json } = await world.admin('verdict', undefined, { id: request }, '?wait=0')
      const { state, stages } = json as StoreVerdict
      const isSealed = stages.length !== 1
      if (state === 'closed' || (!isSealed && state !== 'in_progress')) open.delete(request)
    }
    await sleep(200)
  }
}

/** Everybody is there again, and nothing is in the way. */
async function heal(stage: Stage): Promise<void> {
  const { world, recorder } = stage
  if (!world.store.isRunning()) await world.store.start()
  for (const agent of world.agents) if (!agent.isRunning()) await startAgent(stage, agent)
  await world.admin('setPause', { paused: false })
  recorder.add({ at: recorder.now(), observer: 'store', kind: 'pause', on: false })
  recorder.add({ at: recorder.now(), observer: 'supervisor', kind: 'faults_over' })
}

/** Outcomes by operation, and how long the requests took. */
function describeRequests(events: readonly HistoryEvent[]): string {
  const asked = new Map<string, { operation: string; issuedAt: number }>()
  const counts = new Map<string, number>()
  const took: number[] = []
  for (const event of events) {
    if (event.observer !== 'store') continue
    if (event.kind === 'requested') asked.set(event.request, event)
    if (event.kind !== 'verdict') continue
    const request = asked.get(event.request)
    const key = `${request?.operation} ${[event.outcome, event.reason].filter((word) => word !== null).join('/')}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
    if (request && event.closedAt != null) took.push(event.closedAt - request.issuedAt)
  }
  took.sort((a, b) => a - b)
  const at = (part: number) => took[Math.min(took.length - 1, Math.floor(took.length * part))]
  return [...counts]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([key, number]) => `  ${key}: ${number}\n`)
    .concat(`p50 ${at(0.5)} ms, p99 ${at(0.99)} ms\n`)
    .join('')
}

async function main(): Promise<number> {
  const turn = turnOf(readCommit())
  const directory = chooseDirectory(values, turn.chaos, turn.scheme)
  const seed = Number(values.seed)
  const minutes = Number(values.minutes)
  const say = (text: string) => process.stdout.write(text)
  const plant = values.plant === undefined ? '' : ` --plant ${values.plant}`
  const words = `--seed ${seed} --minutes ${minutes} ${wordsOf(directory)}${plant}`
  say(`${words}\n`)
  const stage = await startStage({ directory, seed, plant: values.plant, lifetimeSeconds: LIFETIME_SECONDS })
  try {
    const load = startLoad(stage, createRandom(seed))
    const schedule = startSchedule(stage, listFaults(stage), createRandom(seed + 1))
    await sleep(minutes * 60_000)
    await load.end()
    await schedule.end()
    await heal(stage)
    await drain(stage)
    await stage.finish()
    const events = stage.recorder.events()
    if (values.file !== undefined) stage.recorder.write(values.file)
    const faults = [...schedule.counts()].map(([name, number]) => `  ${name}: ${number}\n`)
    say(`requests: ${load.asked()}, not taken by a store that was away: ${load.refused()}\n`)
    say(describeRequests(events))
    say(`faults:\n${faults.join('')}`)
    say(`faults that found nothing to strike: ${schedule.missed()}\n`)
    const verdict = checkHistory(events)
    say(`${words}\nevents: ${events.length}\n${describeVerdict(verdict)}`)
    return verdict.violations.length === 0 ? 0 : 1
  } finally {
    await stage.world.stop()
  }
}

process.exitCode = await main()
