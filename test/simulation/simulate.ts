// Runs the simulation of the write path over many seeds. node test/simulation/simulate.ts --seeds 2000 [--from N]
// [--seed N] [--plant NAME] [--out FILE]
import { writeFileSync } from 'node:fs'
import { prepareProcess } from './install-tokens.ts'

prepareProcess([])
const { runSeed } = await import('./run-seed.ts')
const { checkHistory } = await import('./stand-in-check.ts')
const from = Number(process.argv[2] ?? 1)
const count = Number(process.argv[3] ?? 1)
const began = performance.now()
let bad = 0
for (let seed = from; seed < from + count; seed += 1) {
  const t = performance.now()
  const run = await runSeed(seed)
  const verdict = checkHistory(run.history)
  const outcomes: Record<string, number> = {}
  for (const e of run.history) if (e.observer === 'store' && e.kind === 'verdict') outcomes[`${e.outcome} ${e.reason ?? ''}`] = (outcomes[`${e.outcome} ${e.reason ?? ''}`] ?? 0) + 1
  if (count < 20) console.log(seed, Math.round(performance.now() - t), 'ms', run.events, 'events', run.hasDrained, run.lastedMs, run.history.length, outcomes, run.faults)
  if (verdict.violations.length) { bad += 1; console.log(seed, verdict.violations) }
  if (process.argv[4]) writeFileSync(process.argv[4], run.history.map((e) => JSON.stringify(e)).join('\n'))
}
console.log('ms per seed', (performance.now() - began) / count, 'bad', bad)
