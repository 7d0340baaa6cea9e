// What a running agent did last, and what it does by itself: rows of the status screen.
import type pc from 'picocolors'
import { alignRows, type Row } from './aligned-lines.ts'
import { describeAge } from './describe-age.ts'
import { plain } from './plain-text.ts'
import type { AgentStatus } from './read-status.ts'

type Colours = ReturnType<typeof pc.createColors>

/** Lines of the last outcomes, reports, probes and housekeeping; none for an agent that does not tell. */
export function describeWork(
  { lastOutcomes, reports, probes, jobs, storeOffsetMs }: AgentStatus,
  nowMs: number,
  colours: Colours,
): readonly string[] {
  const storeNowMs = nowMs + (storeOffsetMs ?? 0)
  return [
    ...(lastOutcomes.length === 0 ? [] : ['last outcomes']),
    ...alignRows(lastOutcomes.map((one) => outcomeRow(one, storeNowMs))),
    ...(reports.length === 0 ? [] : ['reports']),
    ...alignRows(reports.map((report) => reportRow(report, nowMs))),
    ...(probes.length === 0 ? [] : ['probes']),
    ...alignRows(probes.map((probe) => probeRow(probe, storeNowMs, colours))),
    ...(jobs.length === 0 ? [] : ['housekeeping']),
    ...alignRows(jobs.map((job) => jobRow(job, nowMs, colours))),
  ]
}

function outcomeRow(
  { request, operation, outcome, reason, at }: AgentStatus['lastOutcomes'][number],
  storeNowMs: number,
): Row {
  const how = reason === null ? outcome : `${outcome} ${reason}`
  return [plain(operation), plain(`${how}, ${describeAge(storeNowMs - at)} ago, ${request}`)]
}

function reportRow(
  { directory, writtenAt, locked, expiring, isCut }: AgentStatus['reports'][number],
  nowMs: number,
): Row {
  const least = isCut ? 'at least ' : ''
  const found = `${least}${locked} locked, ${least}${expiring} passwords about to expire`
  return [plain(directory), `${found}, ${describeAge(nowMs - writtenAt)} ago`]
}

function probeRow(
  { directory, last, lastAppliedAt }: AgentStatus['probes'][number],
  storeNowMs: number,
  { yellow }: Colours,
): Row {
  const ago = (at: number) => `${describeAge(storeNowMs - at)} ago`
  const applied = lastAppliedAt === null ? 'none applied' : `applied ${ago(lastAppliedAt)}`
  if (last === null || last.outcome === 'applied') return [plain(directory), applied]
  const how = last.reason === null ? last.outcome : `${last.outcome} ${last.reason}`
  return [plain(directory), plain(`last ${how}, ${ago(last.at)}; ${applied}`), yellow]
}

function jobRow(
  { name, lastRunAt, lastResult, lastDurationMs, problem, isRunning, nextRunAt }: AgentStatus['jobs'][number],
  nowMs: number,
  { yellow }: Colours,
): Row {
  const last =
    lastRunAt === null
      ? 'not run yet'
      : `${lastResult} ${describeAge(nowMs - lastRunAt)} ago in ${lastDurationMs} ms`
  const next = isRunning
    ? ', runs now'
    : nextRunAt === null
      ? ''
      : `, next in ${describeAge(nextRunAt - nowMs)}`
  const text = plain(`${last}${next}${problem === null ? '' : `: ${problem}`}`)
  return lastResult === 'failed' ? [plain(name), text, yellow] : [plain(name), text]
}
