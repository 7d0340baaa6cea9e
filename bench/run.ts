// npm run bench: measures, and prints the table, or everything with --json.
import { readFileSync } from 'node:fs'
import { availableParallelism, loadavg, release } from 'node:os'
import { parseArgs } from 'node:util'
import { measure, type Plan } from './measure.ts'
import { resultsOf, tableOf } from './results.ts'

const PLAN: Plan = { rounds: 3, idlePerRound: 34, burst: 200, starts: 5, connections: 4 }
const QUICK: Plan = { rounds: 1, idlePerRound: 20, burst: 60, starts: 2, connections: 4 }

const { values: words } = parseArgs({
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
})
const plan = words.quick ? QUICK : PLAN
const loadBefore = loadavg()
const begun = performance.now()
const measured = await measure(plan, (line) => process.stderr.write(`${line}\n`))
const machine = {
  date: new Date().toISOString().slice(0, 10),
  processors: availableParallelism(),
  model: /^model name\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown',
  kernel: release(),
  node: process.version,
  loadBefore,
  loadAfter: loadavg(),
  tookSeconds: Math.round((performance.now() - begun) / 1000),
}
const results = resultsOf(measured)

if (words.json)
  process.stdout.write(`${JSON.stringify({ machine, plan, results, measured }, undefined, 2)}\n`)
else {
  const loads = [machine.loadBefore, machine.loadAfter].map((load) => load[0]?.toFixed(1)).join(' before, ')
  process.stdout.write(`${tableOf(results)}

${machine.date}, ${machine.processors} processors (${machine.model}), Linux ${machine.kernel}, Node.js ${machine.node}
${plan.rounds} rounds, ${plan.rounds * plan.idlePerRound} idle operations and bursts of ${plan.burst} of each kind, ${plan.connections} connections
load average ${loads} after; ${machine.tookSeconds} s
`)
}
