// One thread of the simulation: runs the seeds it is given, checks each history, and reports.
import { writeFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { Violation } from '../history/event.ts'
import { PLANTED_BUGS } from '../planted/planted-bugs.ts'
import { prepareProcess } from './install-tokens.ts'
import { dialectOf } from './openldap-traits.ts'

/** Seeds to run. `out`: where the history goes, of the last one. */
export interface Batch {
  readonly from: number
  readonly count: number
  readonly out: string | undefined
}

/** What one seed came to. */
export interface SeedReport {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly decided: Readonly<Record<string, number>>
  readonly excused: Readonly<Record<string, number>>
  readonly measured: Readonly<Record<string, number>>
  readonly faults: Readonly<Record<string, number>>
  readonly requests: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly hasDrained: boolean
  readonly events: number
}

const { plant, dialect } = workerData as { readonly plant?: string; readonly dialect?: string }
const bug = PLANTED_BUGS.find(({ name }) => name === plant)
if (plant !== undefined && !bug) throw new Error(`no planted bug has the name ${plant}`)
prepareProcess(bug?.edits ?? [])
// After the process was prepared: every line of the product that is loaded now meets the stand-ins.
const { runSeed } = await import('./run-seed.ts')
const { checkHistory } = await import('../history/check-history.ts')

async function report(seed: number, out: string | undefined): Promise<SeedReport> {
  const { history, faults, hasDrained, events } = await runSeed(seed)
  if (out !== undefined) writeFileSync(out, history.map((event) => `${JSON.stringify(event)}\n`).join(''))
  const { violations, decided, excused, measured } = checkHistory(history)
  const outcomes: Record<string, number> = {}
  let requests = 0
  for (const event of history)
    if (event.observer === 'store' && event.kind === 'verdict') {
      requests += 1
      const name = [event.outcome ?? 'none', ...(event.reason === null ? [] : [event.reason])].join(' ')
      outcomes[name] = (outcomes[name] ?? 0) + 1
    }
  return { seed, violations, decided, excused, measured, faults, requests, outcomes, hasDrained, events }
}

parentPort?.on('message', (batch: Batch) => {
  const run = async () => {
    const reports: SeedReport[] = []
    for (let seed = batch.from; seed < batch.from + batch.count; seed += 1)
      if (dialect === undefined || dialectOf(seed) === dialect) reports.push(await report(seed, batch.out))
    parentPort?.postMessage(reports)
  }
  run().catch((error: unknown) => {
    throw error
  })
})
