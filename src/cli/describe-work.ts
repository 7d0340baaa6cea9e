// What a running agent did last, and what it does by itself: rows of the status screen.
import type pc from 'picocolors'
import { alignRows, type Row } from './aligned-lines.ts'
import { describeAge } from './describe-age.ts'
import { plain } from './plain-text.ts'
import type { AgentStatus } from './read-status.ts'

type Colours = ReturnType<typeof pc.createColors>

/** Lines of the last outcomes and of housekeeping; none for an agent that does not tell. */
export function describeWork(
  { lastOutcomes, jobs, storeOffsetMs }: AgentStatus,
  nowMs: number,
  colours: Colours,
): readonly string[] {
  const storeNowMs = nowMs + (storeOffsetMs ?? 0)
  return [
    ...(lastOutcomes.length === 0 ? [] : ['last outcomes']),
    ...alignRows(lastOutcomes.map((one) => outcomeRow(one, storeNowMs))),
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
