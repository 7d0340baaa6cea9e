// Looks for each planted bug: replays the seed that caught it first, then some more. A catch is an invariant that its record
// names, that breaks with the bug and holds without it in the same seed. Fails when one is not caught.
// node test/planted/find-planted.ts [--seeds 50] [--full] [--only NAME] ; --full searches 2,000 seeds anew for the first
// one that catches each bug, and writes it down.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { Batch, SeedReport } from '../simulation/simulate-batch-child.ts'
import { type Catch, judgeCatch } from './judge-catch.ts'
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.ts'

const RECORD = path.join(import.meta.dirname, 'first-seeds.json')
const FULL_SEEDS = 2_000
const WORKERS = 2
const CHILD = new URL('../simulation/simulate-batch-child.ts', import.meta.url)

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '50' },
    full: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
const known: Record<string, Catch> = JSON.parse(readFileSync(RECORD, 'utf8'))
const wanted = PLANTED_BUGS.filter(({ name }) => values.only === undefined || name === values.only)
const found = new Map<string, Catch>()
const left = [...wanted]

const invariantsOf = ({ violations }: SeedReport): readonly string[] => [
  ...new Set(violations.map(({ invariant }) => invariant)),
]

/** A thread of the simulation that runs one seed after the other, with a bug or without. */
function openRunner(plant: string | undefined) {
  const worker = new Worker(CHILD, {
    workerData: { plant },
    resourceLimits: { maxYoungGenerationSizeMb: 128 },
  })
  const run = (seed: number) =>
    new Promise<SeedReport>((resolve, reject) => {
      worker.removeAllListeners()
      worker.once('error', reject)
      worker.once('message', ([report]: readonly SeedReport[]) => resolve(report as SeedReport))
      worker.postMessage({ from: seed, count: 1, out: undefined } satisfies Batch)
    })
  return { run, close: () => worker.terminate() }
}

/** What the product itself breaks in a seed is no catch of a bug. Asked only for seeds that hit. */
const soundRuns = new Map<number, Promise<readonly string[]>>()
let soundRunner: ReturnType<typeof openRunner> | undefined
let soundTurn: Promise<unknown> = Promise.resolve()

function brokenWithoutBug(seed: number): Promise<readonly string[]> {
  const known = soundRuns.get(seed)
  if (known !== undefined) return known
  soundRunner ??= openRunner(undefined)
  const { run } = soundRunner
  const broken = soundTurn.then(() => run(seed)).then(invariantsOf)
  soundTurn = broken
  soundRuns.set(seed, broken)
  return broken
}

async function caught(report: SeedReport, record: Catch | undefined): Promise<Catch | undefined> {
  const broken = invariantsOf(report)
  if (broken.length === 0) return undefined
  const ownFaults = await brokenWithoutBug(report.seed)
  const invariants = judgeCatch(broken, ownFaults, record)
  return invariants.length === 0 ? undefined : { seed: report.seed, invariants }
}

const range = (from: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => from + index)

async function look({ name, from = 1, most = Infinity }: PlantedBug): Promise<void> {
  const first = known[name]
  const seeds = values.full
    ? range(from, FULL_SEEDS)
    : [...(first ? [first.seed] : []), ...range(from, Math.min(most, Number(values.seeds)))]
  let tried = 0
  let hits = 0
  const runner = openRunner(name)
  for (const seed of seeds) {
    tried += 1
    const hit = await caught(await runner.run(seed), values.full ? undefined : first)
    if (!hit) continue
    hits += 1
    if (!found.has(name)) found.set(name, hit)
    if (values.full) break
  }
  await runner.close()
  const hit = found.get(name)
  const told = hit ? `first by seed ${hit.seed}: ${hit.invariants.join(', ')}` : 'NOT CAUGHT'
  console.log(`${name}: ${hits} of ${tried} seeds, ${told}`)
}

async function work(): Promise<void> {
  for (let bug = left.shift(); bug !== undefined; bug = left.shift()) await look(bug)
}

const began = performance.now()
await Promise.all(Array.from({ length: WORKERS }, work))
await soundRunner?.close()
if (values.full) {
  const all = PLANTED_BUGS.flatMap(({ name }) => {
    const one = found.get(name) ?? known[name]
    return one ? [[name, one] as const] : []
  })
  writeFileSync(RECORD, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`)
}
const tookS = Math.round((performance.now() - began) / 1000)
console.log(`${found.size} of ${wanted.length} planted bugs caught in ${tookS} s`)
process.exitCode = found.size === wanted.length ? 0 : 1
