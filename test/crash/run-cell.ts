// One cell of the matrix: a request, the agent dies at the point, is started again, and the request ends truthfully.
import { planCrash, readDiary } from '../test-build/crash-plan.ts'
import type { CrashPoint, WritingOperation } from '../test-build/crash-points.ts'
import type { CrashWorld } from './crash-world.ts'
import { awaitDeath, awaitQuiet } from './deaths.ts'
import { type Judgement, judge } from './judge-cell.ts'
import { askAndPlan, findMissed } from './plan-death.ts'

/** One cell. */
export interface Cell {
  readonly point: CrashPoint
  readonly side: 'before' | 'after'
  readonly operation: WritingOperation
}

/** What came of a cell. */
export interface CellResult extends Judgement {
  readonly cell: Cell
  readonly kills: number
  /** From the start of the process to the first new request applied, per restart. */
  readonly backAtWorkMs: readonly number[]
}

/** The name of a cell, as it is printed. */
export const nameOf = ({ point, side, operation }: Cell): string => `${point.id}:${side} ${operation}`

/** Runs one cell in a world whose agent runs. */
export async function runCell(crash: CrashWorld, cell: Cell): Promise<CellResult> {
  const { agent, proxies } = crash
  const { point, side } = cell
  for (const proxy of proxies) proxy.forget()
  const subject = await crash.subject(cell.operation)
  const at = `${point.id}:${side}`
  const crashes = point.first === undefined ? [at] : [point.first, at]
  const backAtWorkMs: number[] = []
  await awaitQuiet(agent)
  const earlier = readDiary(agent.configFile).length
  const slow = point.isStopped
    ? proxies[0]?.onRequest(
        { operation: 'modify', direction: 'request' },
        { kind: 'delay-response', ms: 500 },
      )
    : undefined
  const request = await askAndPlan(crash, agent.configFile, subject, { at: crashes[0] as string })
  if (slow) {
    await slow.hit
    process.kill(agent.pid(), 'SIGTERM')
  }
  const missed: string[] = []
  for (const [index, next] of crashes.entries()) {
    const isDead = await awaitDeath(agent)
    crash.history.process(agent, 'killed')
    if (!isDead) missed.push(`${next} was not reached`)
    else missed.push(...findMissed(readDiary(agent.configFile), earlier + index, next, request))
    const then = crashes[index + 1]
    planCrash(agent.configFile, then === undefined ? undefined : { at: then, request })
    const backMs = await startAgain(crash, next === crashes.at(-1))
    if (typeof backMs === 'number') backAtWorkMs.push(backMs)
    if (backMs === 'never') missed.push('nothing was applied after the restart')
  }
  const judgement = await judge(crash, subject, request)
  return {
    ...judgement,
    ...{ cell, kills: crashes.length, backAtWorkMs },
    faults: [...missed, ...judgement.faults],
  }
}

/** Starts the agent; measures how long it takes until a request of somebody else is applied, unless it dies again. */
async function startAgain(crash: CrashWorld, isLast: boolean): Promise<number | 'never' | undefined> {
  crash.history.process(crash.agent, 'started')
  if (!isLast) {
    // It dies again, perhaps before it is ready.
    await crash.agent.start().catch(() => undefined)
    return undefined
  }
  const probe = await crash.probe()
  const startedAt = performance.now()
  await crash.agent.start()
  const appliedAt = await probe.appliedAt()
  return appliedAt === undefined ? 'never' : appliedAt - startedAt
}
