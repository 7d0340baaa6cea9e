// The sums over all seeds, and how they are told.
import type { SeedVerdict } from './judge-seed.ts'
import type { SeedReport } from './simulate-batch-child.ts'

/** Sums over seeds. */
export interface Totals {
  seeds: number
  /** With violations that are not known, or not come to rest. */
  seedsBroken: number
  /** Seeds that break what is named as not holding. */
  knownSeeds: number
  violations: number
  requests: number
  events: number
  undrained: number
  readonly faults: Map<string, number>
  readonly outcomes: Map<string, number>
  readonly decided: Map<string, number>
  readonly excused: Map<string, number>
  readonly measured: Map<string, number>
}

/** Nothing yet. */
export const emptyTotals = (): Totals => ({
  ...{ seeds: 0, knownSeeds: 0, seedsBroken: 0, violations: 0, requests: 0, events: 0, undrained: 0 },
  ...{ faults: new Map(), outcomes: new Map(), decided: new Map(), excused: new Map(), measured: new Map() },
})

/** Adds one seed. */
export function addReport(totals: Totals, report: SeedReport, verdict: SeedVerdict): void {
  totals.seeds += 1
  totals.seedsBroken += verdict === 'broken' ? 1 : 0
  totals.knownSeeds += verdict === 'known' ? 1 : 0
  totals.violations += verdict === 'known' ? 0 : report.violations.length
  totals.requests += report.requests
  totals.events += report.events
  totals.undrained += report.hasDrained ? 0 : 1
  add(totals.faults, report.faults)
  add(totals.outcomes, report.outcomes)
  add(totals.decided, report.decided)
  add(totals.excused, report.excused)
  for (const [name, value] of Object.entries(report.measured))
    totals.measured.set(name, Math.max(totals.measured.get(name) ?? 0, value))
}

/** The lines that tell the sums; the last one tells most. */
export function tellTotals(totals: Totals, tookMs: number): readonly string[] {
  const { seeds, knownSeeds, seedsBroken, violations, requests, undrained, events } = totals
  const faults = [...totals.faults.values()].reduce((sum, count) => sum + count, 0)
  const cases = [...totals.decided.values()].reduce((sum, count) => sum + count, 0)
  return [
    `faults: ${tell(totals.faults)}`,
    `outcomes: ${tell(totals.outcomes)}`,
    `decided: ${tell(totals.decided, (a, b) => Number(a.slice(1)) - Number(b.slice(1)))}`,
    `excused: ${tell(totals.excused) || 'none'}`,
    `longest: ${tell(totals.measured) || 'none'}`,
    `${seeds} seeds in ${Math.round(tookMs / 1000)} s, ${requests} requests, ${faults} faults, ${events} events, ${undrained} runs that did not come to rest, ${cases} cases decided, ${violations} violations, ${seedsBroken} broken seeds, ${knownSeeds} seeds that break what is known not to hold`,
  ]
}

function add(to: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) to.set(name, (to.get(name) ?? 0) + count)
}

const byName = (a: string, b: string): number => (a < b ? -1 : 1)

const tell = (counts: ReadonlyMap<string, number>, order = byName): string =>
  [...counts]
    .sort(([a], [b]) => order(a, b))
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
