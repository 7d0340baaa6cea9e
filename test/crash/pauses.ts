// Agents that stand still in the middle of a request, longer than their lease, while another one completes it: when they
// go on, they change nothing and claim nothing false.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Verdict } from '../../src/protocol/sealer-calls.ts'
import type { Verdict as HistoryVerdict } from '../history/event.ts'
import type { ProofDirectory } from '../servers/turn-of-commit.ts'
import type { WorldAgent } from '../servers/world-agents.ts'
import { readDiary } from '../test-build/crash-plan.ts'
import { checkJournals } from './check-journals.ts'
import { type CrashWorld, type Subject, startCrashWorld } from './crash-world.ts'
import { awaitQuiet, awaitStrike } from './deaths.ts'
import { type Judgement, judge } from './judge-cell.ts'
import { askAndPlan, findMissed } from './plan-death.ts'
import { type EffectCounts, readEffects } from './read-effects.ts'
import { type Cell, nameOf } from './run-cell.ts'

/** The points at which agents are paused, too. */
export const PAUSE_POINTS: ReadonlySet<string> = new Set([
  ...['C13', 'C14', 'C15', 'C16', 'C17', 'C18', 'C19', 'C20', 'C21', 'C22', 'C23', 'C24'],
  ...['C31', 'C32', 'C33'],
])

/** What came of one pause. */
export interface PauseResult extends Judgement {
  readonly cell: Cell
}

// The lease is 30 s; the other agent gets the request when it has run out.
const VERDICT_MS = 240_000
// A request that went to a sleeping agent comes back when its lease has run out.
const STRIKE_MS = 45_000
// The store's waiting calls must see the switch before it is turned back.
const SWITCH_MS = 200

// The store has nothing sealed to an agent that it has not seen for two minutes; a loaded machine takes longer than that
// until all are paused.
const KNOWN_MS = 45_000

interface Paused {
  readonly cell: Cell
  readonly agent: WorldAgent
  readonly subject: Subject
  readonly request: string
  readonly isPaused: boolean
}

/** Pauses one agent per cell, all at the same time, in a world of their own. Gives the faults of all journals as well. */
export async function runPauses(
  directory: ProofDirectory,
  cells: readonly Cell[],
): Promise<{
  readonly results: readonly PauseResult[]
  readonly faults: readonly string[]
  readonly verdict: HistoryVerdict
}> {
  const crash = await startCrashWorld(cells.length + 1, { directory, running: 0 })
  const [active, ...victims] = crash.world.agents as [WorldAgent, ...WorldAgent[]]
  try {
    const paused: Paused[] = []
    let seenAt = performance.now()
    for (const [index, cell] of cells.entries()) {
      if (performance.now() - seenAt > KNOWN_MS) {
        await showUp(crash, active)
        seenAt = performance.now()
      }
      paused.push(await pauseOne(crash, victims[index] as WorldAgent, cell))
    }
    crash.history.process(active, 'started')
    await active.start()
    const verdicts = await Promise.all(paused.map(({ request }) => crash.world.verdict(request, VERDICT_MS)))
    const before = await readAll(crash, paused)
    for (const { agent } of paused) {
      crash.history.process(agent, 'continued')
      process.kill(agent.pid(), 'SIGCONT')
    }
    // What was in the middle of a call goes on first.
    await sleep(1_000)
    await Promise.all(paused.map(({ agent }) => awaitQuiet(agent)))
    const after = await readAll(crash, paused)
    const results: PauseResult[] = []
    for (const [index, one] of paused.entries()) {
      const looks = [before[index] as EffectCounts, after[index] as EffectCounts] as const
      results.push(await judgeOne(crash, one, verdicts[index] as Verdict, looks))
    }
    const verdict = await crash.history.finish(crash.world)
    return { results, verdict, faults: checkJournals(crash.world.agents, results) }
  } finally {
    for (const { pid, isRunning } of victims) if (isRunning()) process.kill(pid(), 'SIGCONT')
    await crash.world.stop()
  }
}

/** Lets the store see the agent that is to end everything. What it finds then it ends earlier. */
async function showUp({ history }: CrashWorld, agent: WorldAgent): Promise<void> {
  history.process(agent, 'started')
  await agent.start()
  history.process(agent, 'asked_to_end')
  history.process(agent, 'exited', await agent.stop())
}

/** Starts the agent, alone, and lets it stop in the middle of a request. */
async function pauseOne(crash: CrashWorld, agent: WorldAgent, cell: Cell): Promise<Paused> {
  const subject = await crash.subject(cell.operation)
  crash.history.process(agent, 'started')
  await agent.start()
  const plan = { at: `${cell.point.id}:${cell.side}`, how: 'stop' } as const
  await awaitQuiet(agent)
  const request = await askAndPlan(crash, agent.configFile, subject, plan)
  const isPaused = await awaitStrike(agent, 0, STRIKE_MS)
  crash.history.process(agent, 'stopped')
  // A call that waits for requests would take the next one into the sleeping agent; a change of this switch ends it.
  for (const paused of [true, false]) {
    await crash.world.admin('setPause', { paused })
    await sleep(SWITCH_MS)
  }
  return { cell, agent, subject, request, isPaused }
}

const readAll = async (
  { world }: CrashWorld,
  paused: readonly Paused[],
): Promise<readonly EffectCounts[]> => {
  const found: EffectCounts[] = []
  for (const { subject } of paused) found.push(await readEffects(world.domain, subject.user.dn))
  return found
}

async function judgeOne(
  crash: CrashWorld,
  { cell, agent, subject, request, isPaused }: Paused,
  verdict: Verdict,
  [before, after]: readonly [EffectCounts, EffectCounts],
): Promise<PauseResult> {
  const judgement = await judge(crash, subject, request)
  const diary = readDiary(agent.configFile)
  const missed = findMissed(diary, 0, `${cell.point.id}:${cell.side}`, request)
  return {
    ...judgement,
    cell,
    faults: [
      ...(isPaused ? missed : [`${nameOf(cell)} was not reached`]),
      ...findChange(verdict, before, after),
      ...(verdict.state === 'closed' ? [] : linesAbout(request, crash.world.agents)),
      ...judgement.faults,
    ],
  }
}

const LINES_TOLD = 30

/** What the agents logged of a request that did not end, so that the run alone says why. */
const linesAbout = (request: string, agents: readonly WorldAgent[]): readonly string[] =>
  agents.flatMap(({ name, output }) =>
    output()
      .split('\n')
      .filter((line) => line.includes(request))
      .slice(-LINES_TOLD)
      .map((line) => `\n  ${name}: ${line}`),
  )

/** What stood there when the other agent had ended the request must still stand there after the first one went on. */
function findChange({ state }: Verdict, before: EffectCounts, after: EffectCounts): readonly string[] {
  // Whatever changed then may be the other agent's: it was not done yet.
  if (state !== 'closed')
    return [`the other agent had not ended it after ${VERDICT_MS / 1000} s: it was ${state}`]
  const isSame = JSON.stringify(before) === JSON.stringify(after)
  return isSame ? [] : [`it changed the account: ${JSON.stringify([before, after])}`]
}
