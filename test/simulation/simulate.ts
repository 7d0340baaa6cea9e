// Simulates the write path over many seeds and checks each history. One line per seed that breaks an invariant, with the
// command that replays it; the last lines say what was run, what went wrong, and what was decided.
// node test/simulation/simulate.ts --seeds 2000 [--from N] [--seed N] [--plant NAME] [--out FILE] [--dialect openldap]
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { judgeSeed, type KnownViolation } from './judge-seed.ts'
import type { Batch, SeedReport } from './simulate-batch-child.ts'
import { addReport, emptyTotals, tellTotals } from './totals.ts'

const WORKERS = 2
const BATCH = 10

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    plant: { type: 'string' },
    dialect: { type: 'string' },
    out: { type: 'string' },
  },
})

const isSingle = values.seed !== undefined
const from = Number(values.seed ?? values.from)
const count = isSingle ? 1 : Number(values.seeds)
const began = performance.now()
const totals = emptyTotals()
let next = from

// What is named in test/README.md as not holding, by seed. Everything else is a failure; so is a planted bug's.
const known: Readonly<Record<string, readonly KnownViolation[]>> =
  values.plant === undefined
    ? JSON.parse(readFileSync(path.join(import.meta.dirname, 'known-violations.json'), 'utf8'))
    : {}

const take = (report: SeedReport): void => {
  const verdict = judgeSeed(report, isSingle ? [] : known[report.seed])
  addReport(totals, report, verdict)
  if (verdict === 'kept') return
  if (verdict === 'known') return void console.log(`seed ${report.seed}: breaks what test/README.md says`)
  const plant = values.plant === undefined ? '' : ` --plant ${values.plant}`
  const rest = report.hasDrained ? '' : ', and it did not come to rest'
  console.log(`seed ${report.seed}: ${report.violations.length} violations${rest}`)
  for (const { invariant, at, what } of report.violations.slice(0, isSingle ? 100 : 4))
    console.log(`  ${invariant} at ${at}: ${what}`)
  console.log(`  replay: node test/simulation/simulate.ts --seed ${report.seed}${plant}`)
}

/** Gives one worker batch after batch until none is left. */
function work(): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./simulate-batch-child.ts', import.meta.url), {
      workerData: { plant: values.plant, dialect: values.dialect },
      // A run makes much that is soon forgotten.
      resourceLimits: { maxYoungGenerationSizeMb: 128 },
    })
    const give = (): void => {
      if (next >= from + count) return void worker.terminate().then(() => resolve(), reject)
      const batch: Batch = { from: next, count: Math.min(BATCH, from + count - next), out: values.out }
      next += batch.count
      worker.postMessage(batch)
    }
    worker.on('message', (reports: readonly SeedReport[]) => {
      for (const report of reports) take(report)
      give()
    })
    worker.on('error', reject)
    give()
  })
}

await Promise.all(Array.from({ length: Math.min(WORKERS, Math.ceil(count / BATCH)) }, work))
const tookMs = performance.now() - began
for (const line of tellTotals(totals, tookMs)) console.log(line)
process.exitCode = totals.seedsBroken > 0 ? 1 : 0
