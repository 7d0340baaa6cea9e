// node test/crash/crash-matrix.ts [--third 0|1|2|all] [--point C17] [--operation reset] [--part cells] [--plant name] [--list]
// The agent dies and stands still at every point of the way of a request, on real servers, and every request ends true.
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { CRASH_POINTS, type WritingOperation } from '../test-build/crash-points.ts'
import { checkJournals } from './check-journals.ts'
import { type CrashWorld, startCrashWorld } from './crash-world.ts'
import type { Judgement } from './judge-cell.ts'
import { listPoints } from './list-points.ts'
import { isPausePoint, runPauses } from './pauses.ts'
import { measureCalm, POISONS, runPoison } from './poison.ts'
import { quantile } from './quantile.ts'
import { runSeries, SERIES } from './repeated-kills.ts'
import { type Cell, nameOf, runCell } from './run-cell.ts'

const { values: wish } = parseArgs({
  options: {
    third: { type: 'string' },
    point: { type: 'string' },
    operation: { type: 'string' },
    part: { type: 'string' },
    plant: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
})
const OPERATIONS: readonly WritingOperation[] = ['reset', 'change', 'unlock']
const PAUSES_AT_ONCE = 10

let failed = 0
let kills = 0
const backAtWorkMs: number[] = []

function report(name: string, { outcome, reason, faults }: Judgement): void {
  if (faults.length > 0) failed += 1
  const end = reason === null ? outcome : `${outcome}/${reason}`
  console.log(`${faults.length === 0 ? 'passed' : 'FAILED'}: ${name}: ${[end, ...faults].join('; ')}`)
}

function reportAll(what: string, faults: readonly string[]): void {
  failed += faults.length
  console.log(`${faults.length === 0 ? 'passed' : 'FAILED'}: ${what}`)
  for (const fault of faults) console.log(`  ${fault}`)
}

/** Which third of the cells runs: as asked for, or by the commit. */
function chooseThird(): { readonly third: number | 'all'; readonly hash: string } {
  const hash = readCommit()
  if (wish.third === 'all' || wish.point !== undefined) return { third: 'all', hash }
  if (wish.third !== undefined) return { third: Number(wish.third), hash }
  return { third: Number(BigInt(`0x${hash}`) % 3n), hash }
}

function readCommit(): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
  } catch {
    return '0'
  }
}

const isWished = (name: string): boolean => wish.part === undefined || wish.part === name

function chooseCells(third: number | 'all'): readonly Cell[] {
  const all: Cell[] = CRASH_POINTS.flatMap((point) =>
    (['before', 'after'] as const).flatMap((side) =>
      (point.operations ?? OPERATIONS).map((operation) => ({ point, side, operation })),
    ),
  )
  return all.filter(
    (cell, index) =>
      (third === 'all' || (index + Math.floor(index / 3)) % 3 === third) &&
      (wish.point === undefined || cell.point.id === wish.point) &&
      (wish.operation === undefined || cell.operation === wish.operation),
  )
}

async function runCells(cells: readonly Cell[], third: number | 'all'): Promise<void> {
  const crash = await startCrashWorld(1, { plant: wish.plant })
  const judgements: Judgement[] = []
  for (const cell of isWished('cells') ? cells : []) {
    const result = await runCell(crash, cell)
    kills += result.kills
    backAtWorkMs.push(...result.backAtWorkMs)
    judgements.push(result)
    report(nameOf(cell), result)
  }
  for (const [index, series] of isWished('kills') && wish.point === undefined ? SERIES.entries() : []) {
    const operation = OPERATIONS[(index + (third === 'all' ? 0 : third)) % 3] as WritingOperation
    const result = await runSeries(crash, series, operation)
    kills += series.deaths.length
    judgements.push(result)
    report(`${series.name}, ${operation}`, result)
  }
  if (isWished('poison') && wish.point === undefined) judgements.push(...(await runPoisons(crash)))
  await crash.agent.stop()
  reportAll('journal and store agree', checkJournals(crash.world.agents, judgements))
  await crash.world.stop()
}

async function runPoisons(crash: CrashWorld): Promise<readonly Judgement[]> {
  const judgements: Judgement[] = []
  const calm = await measureCalm(crash)
  for (const poison of POISONS) {
    const result = await runPoison(crash, poison)
    const { deaths, downMs, up, all } = result
    kills += deaths
    const slow = up.p99Ms < 2 * calm.p99Ms ? [] : [`others wait ${up.p99Ms} ms at p99, not ${calm.p99Ms}`]
    report(`poison at ${poison.at}, ${poison.operation}`, { ...result, faults: [...result.faults, ...slow] })
    console.log(
      `  ${deaths} deaths, ${round(downMs)} ms down; others: p99 ${round(up.p99Ms)} ms of ${up.count} while it ran ` +
        `(${round(calm.p99Ms)} ms of ${calm.count} without poison), ${round(all.longestMs)} ms at most of ${all.count}`,
    )
    judgements.push(result)
  }
  return judgements
}

const round = (ms: number): number => Math.round(ms)

async function pauseCells(cells: readonly Cell[]): Promise<number> {
  const paused = isWished('pauses') ? cells.filter(isPausePoint) : []
  for (let first = 0; first < paused.length; first += PAUSES_AT_ONCE) {
    const { results, faults } = await runPauses(paused.slice(first, first + PAUSES_AT_ONCE))
    for (const result of results) report(`paused at ${nameOf(result.cell)}`, result)
    reportAll('journals and store agree after the pauses', faults)
  }
  return paused.length
}

async function main(): Promise<void> {
  if (wish.list) return listPoints()
  const { third, hash } = chooseThird()
  console.log(`crash matrix of commit ${hash}: third ${third} of 0, 1, 2`)
  const began = performance.now()
  const cells = chooseCells(third)
  await runCells(cells, third)
  const pauses = await pauseCells(cells)
  const [p50, p99] = [quantile(backAtWorkMs, 0.5), quantile(backAtWorkMs, 0.99)]
  if (backAtWorkMs.length >= 30 && p99 > 5_000) reportAll('back at work within 5 s', [`p99 ${p99} ms`])
  console.log(
    `third ${third}: ${cells.length} cells, ${pauses} pauses, ${kills} kills, ${failed} failed; ` +
      `back at work after a kill: p50 ${Math.round(p50)} ms, p99 ${Math.round(p99)} ms of ${backAtWorkMs.length}; ` +
      `${Math.round((performance.now() - began) / 1000)} s`,
  )
  process.exitCode = failed === 0 ? 0 : 1
}

await main()
