// npm run bench: measures, and prints the table, or everything with --json.
import { readFileSync } from 'node:fs'
import { availableParallelism, loadavg, release } from 'node:os'
import { parseArgs } from 'node:util'
import { DIRECTORY_KINDS } from '../test/servers/directory-kinds.ts'
import { measure, type Plan } from './measure.ts'
import { measureOpenLdap, type OpenLdapPlan } from './measure-openldap.ts'
import { resultsOf, tableOf } from './results.ts'
import { openLdapResultsOf } from './results-openldap.ts'

const PLAN: Plan = { rounds: 3, idlePerRound: 34, burst: 200, starts: 5, connections: 4 }
const QUICK: Plan = { rounds: 1, idlePerRound: 20, burst: 60, starts: 2, connections: 4 }

const OPENLDAP: OpenLdapPlan = {
  ...{ rounds: 3, users: 256, connections: 8 },
  levels: [
    { atOnce: 1, operations: 60 },
    { atOnce: 8, operations: 400 },
    { atOnce: 64, operations: 800 },
  ],
}
const OPENLDAP_QUICK: OpenLdapPlan = {
  ...{ rounds: 1, users: 64, connections: 8 },
  levels: [
    { atOnce: 1, operations: 20 },
    { atOnce: 8, operations: 100 },
    { atOnce: 64, operations: 300 },
  ],
}

const { values: words } = parseArgs({
  options: {
    directory: { type: 'string', default: 'active-directory' },
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    // On OpenLDAP: a directory for the processor profiles of agent and store.
    profile: { type: 'string' },
  },
})
if (!DIRECTORY_KINDS.some((kind) => kind === words.directory))
  throw new Error(`unknown directory: ${words.directory}`)
const say = (line: string) => process.stderr.write(`${line}\n`)

/** Measures one kind of directory: what was planned, all that was measured, what it comes down to, and how much it was. */
async function run() {
  if (words.directory === 'openldap') {
    const plan = { ...(words.quick ? OPENLDAP_QUICK : OPENLDAP), profiles: words.profile }
    const measured = await measureOpenLdap(plan, say)
    const amount = plan.levels.map(({ atOnce, operations }) => `${operations} by ${atOnce}`).join(', ')
    const size = `${plan.rounds} rounds of ${amount}; ${plan.connections} connections`
    return { plan, measured, results: openLdapResultsOf(measured), size }
  }
  const plan = words.quick ? QUICK : PLAN
  const measured = await measure(plan, say)
  const size = `${plan.rounds} rounds, ${plan.rounds * plan.idlePerRound} idle operations and bursts of ${plan.burst} of each kind, ${plan.connections} connections`
  return { plan, measured, results: resultsOf(measured), size }
}

const loadBefore = loadavg()
const begun = performance.now()
const { plan, measured, results, size } = await run()
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

if (words.json)
  process.stdout.write(`${JSON.stringify({ machine, plan, results, measured }, undefined, 2)}\n`)
else {
  const loads = [machine.loadBefore, machine.loadAfter].map((load) => load[0]?.toFixed(1)).join(' before, ')
  process.stdout.write(`${tableOf(results)}

${machine.date}, ${machine.processors} processors (${machine.model}), Linux ${machine.kernel}, Node.js ${machine.node}
${size}
load average ${loads} after; ${machine.tookSeconds} s
`)
}
