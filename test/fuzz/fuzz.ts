// node test/fuzz/fuzz.ts [--messages N] [--answers N] [--full] [--seed N] [--plants] [--details]
// Bent messages of a store and bent answers of a directory for the real agent parts. Ends with 1 when one fault was found;
// with --plants it plants weaknesses, and ends with 1 when one of them was not found.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { bareEnvironment } from '../servers/child-process.ts'
import { PLANTS, type Plant } from './plants.ts'
import { seedOf } from './random.ts'
import type { ShardTask } from './shard.ts'
import { joinReports, type TallyReport } from './tally.ts'

const SHARD = path.join(import.meta.dirname, 'shard.ts')
const PLANTED_COUNT = 2_400
const PLANT_LIMIT_MS = 150_000
const HANG_LIMIT_MS = 45_000

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '100000' },
    answers: { type: 'string', default: '20000' },
    seed: { type: 'string' },
    full: { type: 'boolean', default: false },
    plants: { type: 'boolean', default: false },
    details: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const began = performance.now()
process.stdout.write(`seed ${seed}\n`)
const failed = values.plants ? await tryPlants() : await fuzz()
process.stdout.write(`${((performance.now() - began) / 1000).toFixed(1)} s\n`)
process.exitCode = failed ? 1 : 0

async function fuzz(): Promise<boolean> {
  const messages = values.full ? 1_000_000 : Number(values.messages)
  const answers = Number(values.answers)
  const half = Math.ceil(messages / 2)
  const limitMs = 60_000 + messages * 5 + answers * 10
  const stores = await Promise.all(
    [1, 2].map((part) => runShard({ part: 'store', count: half, seed: seedOf(seed, part) }, limitMs)),
  )
  const directories = await Promise.all(
    [3, 4].map((part) =>
      runShard({ part: 'ldap', count: Math.ceil(answers / 2), seed: seedOf(seed, part) }, limitMs),
    ),
  )
  const all = [...stores, ...directories].flat()
  const reports = [...Map.groupBy(all, ({ name }) => name).values()].map(joinReports)
  for (const report of reports) print(report)
  return reports.some(({ faultCount }) => faultCount > 0)
}

async function tryPlants(): Promise<boolean> {
  const waiting = [...PLANTS]
  let found = 0
  const worker = async (): Promise<void> => {
    for (let plant = waiting.shift(); plant; plant = waiting.shift()) {
      const faults = await faultsOf(plant)
      if (faults.length > 0) found += 1
      process.stdout.write(
        `${faults.length > 0 ? 'found' : 'NOT FOUND'}  ${plant.name}: ${faults[0] ?? ''}\n`,
      )
    }
  }
  await Promise.all([worker(), worker()])
  process.stdout.write(`planted weaknesses found: ${found}/${PLANTS.length}\n`)
  return found < PLANTS.length
}

async function faultsOf({ part, name, hangs = false }: Plant): Promise<readonly string[]> {
  const limitMs = hangs ? HANG_LIMIT_MS : PLANT_LIMIT_MS
  const all = await runShard({ part, count: PLANTED_COUNT, seed, plant: name }, limitMs)
  // A process that did not come to an end has judged nothing, unless that is what was planted.
  const reports = hangs ? all : all.filter((report) => Object.keys(report.counts).length > 0)
  return reports.flatMap(({ faults }) => faults.map((fault) => fault.split('\n')[0] ?? ''))
}

/** Runs one shard. A process that dies, or hangs beyond its time, is a fault of its own. */
async function runShard(task: ShardTask, limitMs: number): Promise<readonly TallyReport[]> {
  const shared = existsSync('/dev/shm') ? { TMPDIR: '/dev/shm' } : {}
  const child = fork(SHARD, [JSON.stringify(task)], {
    execArgv: ['--disable-warning=ExperimentalWarning', '--max-old-space-size=1024'],
    env: { ...bareEnvironment(), ...shared },
    stdio: ['ignore', 'ignore', values.plants ? 'ignore' : 'inherit', 'ipc'],
  })
  let reports: readonly TallyReport[] = []
  child.on('message', (message) => {
    reports = message as unknown as readonly TallyReport[]
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
  // What it sent last may arrive after its end.
  const gone = once(child, 'disconnect')
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  await gone
  clearTimeout(timer)
  if (code === 0 && reports.length > 0) return reports
  const fault = `the process of part ${task.part}, seed ${task.seed}, ended with ${code ?? signal}`
  return [
    { name: `process of ${task.part}`, counts: {}, notes: {}, peaks: {}, faultCount: 1, faults: [fault] },
  ]
}

function print(report: TallyReport): void {
  const results: Record<string, number> = {}
  let total = 0
  for (const [kind, counts] of Object.entries(report.counts)) {
    const line = Object.entries(counts).map(([result, count]) => `${result} ${count}`)
    if (values.details) process.stdout.write(`  ${kind}: ${line.join(', ')}\n`)
    for (const [result, count] of Object.entries(counts)) {
      results[result] = (results[result] ?? 0) + count
      if (!kind.startsWith('carried out')) total += count
    }
  }
  process.stdout.write(`${report.name}: ${total} of ${Object.keys(report.counts).length} classes\n`)
  for (const [result, count] of Object.entries(results).sort(([, a], [, b]) => b - a))
    process.stdout.write(`  ${result}: ${count}\n`)
  for (const [what, amount] of [...Object.entries(report.notes), ...Object.entries(report.peaks)])
    process.stdout.write(`  ${what}: ${amount}\n`)
  process.stdout.write(`  faults: ${report.faultCount}\n`)
  for (const fault of report.faults) process.stdout.write(`  FAULT ${fault}\n`)
}
