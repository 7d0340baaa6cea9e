// Looks for each planted bug: replays the seed that caught it first, then some more. Fails when one is not caught.
// node test/planted/find-planted.ts [--seeds 50] [--full] [--only NAME] ; --full searches 2,000 seeds anew for the first
// one that catches each bug, and writes it down.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { Batch, SeedReport } from '../simulation/simulate-batch-child.ts'
import { PLANTED_BUGS } from './planted-bugs.ts'

/** The first seed that caught a bug, and the invariants that did. */
interface Catch {
  readonly seed: number
  readonly invariants: readonly string[]
}

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

const caught = ({ seed, violations }: SeedReport): Catch | undefined =>
  violations.length === 0
    ? undefined
    : { seed, invariants: [...new Set(violations.map(({ invariant }) => invariant))] }

/** Runs seeds with a bug in a thread of its own, until `isEnough`. */
function runWith(plant: string, seeds: readonly number[], take: (report: SeedReport) => 'enough' | 'more') {
  return new Promise<void>((resolve, reject) => {
    const worker = new Worker(CHILD, { workerData: { plant } })
    let next = 0
    const give = (): void => {
      const from = seeds[next]
      next += 1
      if (from === undefined) return void worker.terminate().then(() => resolve(), reject)
      worker.postMessage({ from, count: 1, out: undefined } satisfies Batch)
    }
    worker.on('message', (reports: readonly SeedReport[]) => {
      if (reports.map(take).includes('enough')) next = seeds.length
      give()
    })
    worker.on('error', reject)
    give()
  })
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index + 1)

async function look(name: string): Promise<void> {
  const first = known[name]
  const seeds = values.full
    ? range(FULL_SEEDS)
    : [...(first ? [first.seed] : []), ...range(Number(values.seeds))]
  let tried = 0
  let hits = 0
  await runWith(name, seeds, (report) => {
    tried += 1
    const hit = caught(report)
    if (!hit) return 'more'
    hits += 1
    if (!found.has(name)) found.set(name, hit)
    return values.full ? 'enough' : 'more'
  })
  const hit = found.get(name)
  const told = hit ? `first by seed ${hit.seed}: ${hit.invariants.join(', ')}` : 'NOT CAUGHT'
  console.log(`${name}: ${hits} of ${tried} seeds, ${told}`)
}

async function work(): Promise<void> {
  for (let bug = left.shift(); bug !== undefined; bug = left.shift()) await look(bug.name)
}

const began = performance.now()
await Promise.all(Array.from({ length: WORKERS }, work))
if (values.full || Object.keys(known).length === 0) {
  const all = PLANTED_BUGS.flatMap(({ name }) => {
    const one = found.get(name) ?? known[name]
    return one ? [[name, one] as const] : []
  })
  writeFileSync(RECORD, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`)
}
const tookS = Math.round((performance.now() - began) / 1000)
console.log(`${found.size} of ${wanted.length} planted bugs caught in ${tookS} s`)
process.exitCode = found.size === wanted.length ? 0 : 1
