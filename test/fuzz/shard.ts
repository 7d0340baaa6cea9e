// One process of a fuzz run: plays its part, and hands what it found to the process that started it.
import { installEdits } from '../test-build/source-edits.ts'
import { PLANTS } from './plants.ts'
import type { TallyReport } from './tally.ts'

/** What a shard is to do, as JSON in its first argument. */
export interface ShardTask {
  readonly part: 'store' | 'ldap'
  readonly count: number
  readonly seed: number
  readonly plant?: string
}

const task = JSON.parse(process.argv[2] ?? '{}') as ShardTask
const outside: string[] = []
process.on('uncaughtException', (error) => outside.push(`uncaught: ${error.stack ?? String(error)}`))
process.on('unhandledRejection', (error) => outside.push(`unhandled rejection: ${String(error)}`))

const plant = PLANTS.find(({ name }) => name === task.plant)
if (plant) installEdits([plant])
const reports = await run().catch((error: unknown): readonly TallyReport[] => {
  outside.push(`the run ended: ${error instanceof Error ? error.stack : String(error)}`)
  return [{ name: `process of ${task.part}`, counts: {}, notes: {}, peaks: {}, faultCount: 0, faults: [] }]
})
process.send?.(
  reports.map((report, index) =>
    index > 0
      ? report
      : { ...report, faultCount: report.faultCount + outside.length, faults: [...report.faults, ...outside] },
  ),
  () => process.disconnect(),
)

// Loaded only now: edits count for what is loaded after them.
async function run(): Promise<readonly TallyReport[]> {
  if (task.part === 'store') {
    const { runStoreFuzz } = await import('./store-run.ts')
    return [(await runStoreFuzz({ messages: task.count, seed: task.seed })).report()]
  }
  const { runLdapFuzz } = await import('./ldap-run.ts')
  const tallies = await runLdapFuzz({ answers: task.count, seed: task.seed })
  return tallies.map((tally) => tally.report())
}
