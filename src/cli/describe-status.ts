// A running agent on one screen: what it is connected to, what waits, what is wrong and what to do about it.
import pc from 'picocolors'
import { byCause } from '../telemetry/order-by-cause.ts'
import { alignRows, type Row } from './aligned-lines.ts'
import { describeAge } from './describe-age.ts'
import { describeWork } from './describe-work.ts'
import { plain } from './plain-text.ts'
import type { AgentStatus } from './read-status.ts'

/** What a screen needs beside the agent's answer. */
export interface StatusView {
  /** This host's wall time, milliseconds since 1970. */
  readonly nowMs: number
  readonly inColour: boolean
  /** Host and port of the syslog collector; undefined: the record stays on this host. */
  readonly auditCollector: string | undefined
}

type Condition = AgentStatus['conditions'][number]
type Colours = ReturnType<typeof pc.createColors>

/** Lines of at most 80 columns; of the conditions causes come first, then errors, then what has lasted longest. */
export function describeStatus(status: AgentStatus, view: StatusView): readonly string[] {
  const colours = pc.createColors(view.inColour)
  const conditions = [...status.conditions].sort(byCause)
  return [
    headOf(status, view.nowMs, colours),
    ...alignRows([
      ['agent', `${plain(status.agent)}, up ${describeAge(view.nowMs - status.startedAt)}`],
      ['store', storeOf(status)],
      ['requests', requestsOf(status.requests, view.nowMs + (status.storeOffsetMs ?? 0))],
      ['audit', auditOf(status, view.auditCollector)],
      ...status.directories.flatMap((directory) => [
        ...directoryRows(directory, status.queues, colours),
        ...discoveryRows(directory, view.nowMs, colours),
      ]),
    ]),
    ...(conditions.length === 0 ? ['no conditions'] : ['conditions']),
    ...alignRows(conditions.flatMap((condition) => conditionRows(condition, view.nowMs, colours))),
    ...(conditions.length === 0 ? [] : ['what each one means, and what to do: docs/runbook.md']),
    ...describeWork(status, view.nowMs, colours),
  ]
}

function headOf({ version, ready, paused }: AgentStatus, nowMs: number, colours: Colours): string {
  const state = `${ready ? 'READY' : 'NOT READY'}${paused ? ', PAUSED' : ''}`
  const paint = ready ? (paused ? colours.yellow : colours.green) : colours.red
  const time = `${new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`
  return `writeback ${plain(version)}  ${colours.bold(paint(state))}  ${time}`
}

const offsetOf = (ms: number): string => `clock ${ms < 0 ? '' : '+'}${Math.round(ms)} ms`

function storeOf({ storeOffsetMs, ready, conditions, directories }: AgentStatus): string {
  if (storeOffsetMs === null) return 'no answer yet'
  const isExplained =
    ready ||
    conditions.some(({ severity }) => severity === 'error') ||
    directories.some(({ connected }) => !connected)
  return isExplained ? offsetOf(storeOffsetMs) : `${offsetOf(storeOffsetMs)}, no claim answered yet`
}

function requestsOf(requests: AgentStatus['requests'], storeNowMs: number): string {
  const { open, undelivered, finished, oldestOpenAt, oldestUndeliveredAt } = requests
  const oldest = (at: number | null) => (at === null ? '' : ` (oldest ${describeAge(storeNowMs - at)})`)
  return `${open} open${oldest(oldestOpenAt)}, ${undelivered} undelivered${oldest(oldestUndeliveredAt)}, ${finished} finished`
}

function auditOf({ conditions }: AgentStatus, collector: string | undefined): string {
  const holds = (code: string) => conditions.some((condition) => condition.code === code)
  const forwarded =
    collector === undefined
      ? ''
      : holds('audit_not_forwarded')
        ? `, NOT FORWARDED to ${collector}`
        : `, forwarded to ${collector}`
  return `${holds('audit_not_writable') ? 'NOT WRITABLE' : 'written'}${forwarded}`
}

function directoryRows(
  { name, connected, server, url, clockOffsetMs }: AgentStatus['directories'][number],
  queues: AgentStatus['queues'],
  { red }: Colours,
): readonly Row[] {
  const clock = clockOffsetMs === null ? '' : `, ${offsetOf(clockOffsetMs)}`
  const where = plain(url ?? server ?? 'its server')
  const queue = queues[name]
  const jobs = queue
    ? `queue: ${queue.waiting} waiting, ${queue.active} active, ${queue.delayed} delayed`
    : 'queue: NO ANSWER'
  return [
    connected ? [plain(name), `connected to ${where}${clock}`] : [plain(name), 'NOT CONNECTED', red],
    queue ? ['', jobs] : ['', jobs, red],
  ]
}

function discoveryRows(
  { discovery }: AgentStatus['directories'][number],
  nowMs: number,
  { yellow }: Colours,
): readonly Row[] {
  if (discovery === null) return []
  const { domain, foundAt, problem, controllers, vanished } = discovery
  const found = foundAt === null ? 'not yet' : `${describeAge(nowMs - foundAt)} ago`
  const count = `DNS: ${controllers.length} controllers of ${domain}, ${found}`
  const text = plain(problem === null ? count : `${count}; NO LIST NOW`)
  const gone = plain(
    `no longer in DNS, kept: ${vanished.map((url) => url.replace('ldaps://', '')).join(', ')}`,
  )
  return [
    problem === null ? ['', text] : ['', text, yellow],
    ...(vanished.length === 0 ? [] : [['', gone, yellow] as const]),
  ]
}

function conditionRows(condition: Condition, nowMs: number, colours: Colours): readonly Row[] {
  const { code, subject, severity, since, detail, remedy, dependsOn } = condition
  const paint = severity === 'error' ? colours.red : colours.yellow
  const what = [code, subject].filter((word) => word !== '').join(' ')
  return [
    [severity, plain(`${what}, for ${describeAge(nowMs - since)}`), paint],
    ...(detail === '' ? [] : [['', plain(detail)] as const]),
    ['', plain(dependsOn.length > 0 ? `follows from ${dependsOn.join(', ')}` : `next: ${remedy}`)],
  ]
}
