// What the measurements come down to, each beside its target, and the table that shows them.
import type { Measured, Round, Usage } from './measure.ts'
import { median, percentile } from './statistics.ts'

/** One figure. `target` is undefined where the figure only explains others. */
export interface Result {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly target?: { readonly text: string; readonly met: boolean }
}

const LARGEST_DELAY_MS = 20
const LEAST_SHARE = 0.95
const MOST_CPU_MS = 2
const MOST_MEMORY_MB = 150
const LONGEST_START_MS = 1_500

/** All figures. Percentiles are over the operations of all rounds, rates and shares the medians of rounds. */
export function resultsOf(measured: Measured): Result[] {
  return [
    ...idleResults(measured.rounds),
    ...burstResults(measured.rounds),
    ...usageResults(measured),
    {
      ...figure('start to ready, existing enrolment', median(measured.startMs), 'ms'),
      target: atMost(median(measured.startMs), LONGEST_START_MS, 'ms'),
    },
  ]
}

function idleResults(rounds: readonly Round[]): Result[] {
  const modify = rounds.flatMap(({ modifyMs }) => modifyMs)
  const readAndModify = rounds.flatMap(({ readAndModifyMs }) => readAndModifyMs)
  const fromSeal = rounds.flatMap(({ wholeWay }) => wholeWay.map(({ fromSealMs }) => fromSealMs))
  const fromCreate = rounds.flatMap(({ wholeWay }) => wholeWay.map(({ fromCreateMs }) => fromCreateMs))
  // Of each round by itself, so that a slow while of the machine meets both sides.
  const delay = median(
    rounds.map(
      ({ wholeWay, readAndModifyMs }) =>
        median(wholeWay.map(({ fromSealMs }) => fromSealMs)) - median(readAndModifyMs),
    ),
  )
  const both = (name: string, times: readonly number[]) => [
    figure(`${name}, p50`, percentile(times, 0.5), 'ms'),
    figure(`${name}, p99`, percentile(times, 0.99), 'ms'),
  ]
  return [
    ...both('idle: (a1) modify, raw', modify),
    ...both('idle: (a2) read and modify, raw', readAndModify),
    ...both('idle: (b) sealed to verdict', fromSeal),
    ...both('idle: (b) created to verdict', fromCreate),
    {
      ...figure('idle: (b) − (a2), p50, median of rounds', delay, 'ms'),
      target: atMost(delay, LARGEST_DELAY_MS, 'ms'),
    },
  ]
}

function burstResults(rounds: readonly Round[]): Result[] {
  const shares = rounds.map(({ wholeWayRate, readAndModifyRate }) => wholeWayRate / readAndModifyRate)
  const share = median(shares)
  const rate = (name: string, rates: readonly number[]) => figure(`burst: ${name}`, median(rates), '/s')
  return [
    rate(
      '(a1) modify, raw',
      rounds.map(({ modifyRate }) => modifyRate),
    ),
    rate(
      '(a2) read and modify, raw',
      rounds.map(({ readAndModifyRate }) => readAndModifyRate),
    ),
    rate(
      '(b) the whole way',
      rounds.map(({ wholeWayRate }) => wholeWayRate),
    ),
    {
      ...figure('burst: (b) ÷ (a2), median of rounds', share, ''),
      target: { text: `≥ ${LEAST_SHARE}`, met: share >= LEAST_SHARE },
    },
    figure('burst: (b) ÷ (a2), least', Math.min(...shares), ''),
    figure('burst: (b) ÷ (a2), most', Math.max(...shares), ''),
  ]
}

function usageResults(measured: Measured): Result[] {
  const { rounds, restingUsage } = measured
  const idle = (name: keyof Usage) => median(rounds.map(({ idleUsage }) => idleUsage[name]))
  const burst = (name: keyof Usage) => median(rounds.map(({ burstUsage }) => burstUsage[name]))
  const cpu = (name: string, value: number) => ({
    ...figure(name, value, 'ms'),
    target: atMost(value, MOST_CPU_MS, 'ms'),
  })
  return [
    cpu('CPU of the agent, each request of a burst', burst('agent')),
    cpu('CPU of the agent, each idle request', idle('agent')),
    figure('CPU of the agent at rest, each second', restingUsage.agent, 'ms'),
    figure('CPU of the private Redis, each request of a burst', burst('redis'), 'ms'),
    figure('CPU of the private Redis, each idle request', idle('redis'), 'ms'),
    figure('CPU of the store, each request of a burst', burst('store'), 'ms'),
    figure('CPU of the store, each idle request', idle('store'), 'ms'),
    {
      ...figure('peak memory of the agent', measured.peakMemoryMb, 'MB'),
      target: atMost(measured.peakMemoryMb, MOST_MEMORY_MB, 'MB'),
    },
    figure('peak memory of the private Redis', measured.redisPeakMemoryMb, 'MB'),
    figure('peak memory of the store', measured.storePeakMemoryMb, 'MB'),
  ]
}

const figure = (name: string, value: number, unit: string): Result => ({ name, value, unit })

const atMost = (value: number, limit: number, unit: string) => ({
  text: `≤ ${limit} ${unit}`,
  met: value <= limit,
})

/** The results as a table in Markdown, aligned for the eye. */
export function tableOf(results: readonly Result[]): string {
  const rows = results.map(({ name, value, unit, target }) => [
    name,
    `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${unit}`.trim(),
    target?.text ?? '',
    target === undefined ? '' : target.met ? 'met' : 'NOT MET',
  ])
  const all = [['what', 'measured', 'target', ''], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => (column === 1 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join(' | ')} |`
  const rule = `| ${widths.map((width, column) => (column === 1 ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))).join(' | ')} |`
  return [line(all[0] ?? []), rule, ...rows.map(line)].join('\n')
}
