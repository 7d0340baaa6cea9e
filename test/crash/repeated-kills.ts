// Ten kills of one and the same request: it still ends truthfully, with one effect or none.
import { planCrash, readDiary } from '../test-build/crash-plan.ts'
import type { WritingOperation } from '../test-build/crash-points.ts'
import type { CrashWorld } from './crash-world.ts'
import { awaitDeath, awaitQuiet } from './deaths.ts'
import { type Judgement, judge } from './judge-cell.ts'
import { askAndPlan, findMissed } from './plan-death.ts'

/** One series of kills. */
interface Series {
  readonly name: string
  /** Where the agent dies, one after the other. */
  readonly deaths: readonly string[]
  /** How the request must end. */
  readonly outcome: string
}

const times = (count: number, at: string): readonly string[] => Array.from({ length: count }, () => at)

/** A request that ended the agent too often is given up, but never called unwritten when it was written. */
export const SERIES: readonly Series[] = [
  {
    name: 'ten kills before anything was written',
    deaths: times(10, 'C8:after'),
    outcome: 'failed/internal',
  },
  {
    name: 'ten kills, the write applied before the third',
    deaths: [...times(2, 'C18:before'), 'C24:before', ...times(7, 'C37:before')],
    outcome: 'applied',
  },
  {
    name: 'ten kills around a fence, nothing written',
    deaths: [
      ...['C18:before', 'C38:before', 'C18:before', 'C38:before', 'C18:before'],
      ...times(5, 'C37:before'),
    ],
    outcome: 'failed/internal',
  },
]

/** Runs one series in a world whose agent runs. */
export async function runSeries(
  crash: CrashWorld,
  series: Series,
  operation: WritingOperation,
): Promise<Judgement> {
  const { agent, proxies } = crash
  for (const proxy of proxies) proxy.forget()
  const subject = await crash.subject(operation)
  await awaitQuiet(agent)
  const earlier = readDiary(agent.configFile).length
  const request = await askAndPlan(crash, agent.configFile, subject, { at: series.deaths[0] as string })
  const missed: string[] = []
  for (const [index, at] of series.deaths.entries()) {
    if (!(await awaitDeath(agent))) missed.push(`kill ${index + 1} at ${at} did not come`)
    else missed.push(...findMissed(readDiary(agent.configFile), earlier + index, at, request))
    const next = series.deaths[index + 1]
    planCrash(agent.configFile, next === undefined ? undefined : { at: next, request })
    crash.history.process(agent, 'killed')
    crash.history.process(agent, 'started')
    // It may die before it is ready.
    await agent.start().catch(() => undefined)
  }
  const judgement = await judge(crash, subject, request, { outcomes: [series.outcome] })
  return { ...judgement, faults: [...missed, ...judgement.faults] }
}
