// Counts where fuzzed inputs ended, and keeps the faults that were found.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What one part of a fuzz run found. */
export interface Tally {
  readonly name: string
  readonly count: (kind: string, result: string) => void
  /** Adds to a number that is shown at the end. */
  readonly note: (what: string, amount: number) => void
  /** Keeps the largest of the numbers given. */
  readonly most: (what: string, amount: number) => void
  /** Something that must never be. The first few are shown whole. */
  readonly fault: (what: string, error?: unknown) => void
  readonly hasSeen: (kind: string) => boolean
  /** Memory in use after a collection, buffers included. */
  readonly heapBytes: () => number
  readonly report: () => TallyReport
}

/** A tally as plain data, so that it can come from another process. */
export interface TallyReport {
  readonly name: string
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly notes: Readonly<Record<string, number>>
  readonly peaks: Readonly<Record<string, number>>
  readonly faultCount: number
  readonly faults: readonly string[]
}

const MOST_FAULTS = 10

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Makes an empty tally. */
export function createTally(name: string): Tally {
  const counts: Record<string, Record<string, number>> = {}
  const notes: Record<string, number> = {}
  const peaks: Record<string, number> = {}
  const faults: string[] = []
  let faultCount = 0
  return {
    name,
    count: (kind, result) => {
      counts[kind] ??= {}
      counts[kind][result] = (counts[kind][result] ?? 0) + 1
    },
    note: (what, amount) => {
      notes[what] = (notes[what] ?? 0) + amount
    },
    most: (what, amount) => {
      peaks[what] = Math.max(peaks[what] ?? amount, amount)
    },
    fault: (what, error) => {
      faultCount += 1
      if (faults.length < MOST_FAULTS)
        faults.push(error instanceof Error ? `${what}\n${error.stack ?? ''}` : what)
    },
    hasSeen: (kind) => counts[kind] !== undefined,
    heapBytes: () => {
      // The second one takes what the first could only mark, such as the memory of buffers.
      collect()
      collect()
      const { heapUsed, external } = process.memoryUsage()
      return heapUsed + external
    },
    report: () => ({ name, counts, notes, peaks, faultCount, faults }),
  }
}

/** Adds reports of the same part, as several processes made them. */
export function joinReports(reports: readonly TallyReport[]): TallyReport {
  const counts: Record<string, Record<string, number>> = {}
  const notes: Record<string, number> = {}
  const peaks: Record<string, number> = {}
  for (const report of reports) {
    for (const [kind, results] of Object.entries(report.counts)) {
      counts[kind] ??= {}
      for (const [result, count] of Object.entries(results))
        counts[kind][result] = (counts[kind][result] ?? 0) + count
    }
    for (const [what, amount] of Object.entries(report.notes)) notes[what] = (notes[what] ?? 0) + amount
    for (const [what, amount] of Object.entries(report.peaks))
      peaks[what] = Math.max(peaks[what] ?? amount, amount)
  }
  return {
    name: reports[0]?.name ?? '',
    counts,
    notes,
    peaks,
    faultCount: reports.reduce((sum, { faultCount }) => sum + faultCount, 0),
    faults: reports.flatMap(({ faults }) => faults).slice(0, MOST_FAULTS),
  }
}
