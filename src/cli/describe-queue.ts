// The queue of a running agent as text: a table of what is open, and one request with its history.
import { alignRows, type Row } from './aligned-lines.ts'
import { describeAge } from './describe-age.ts'
import type { ShownPause, ShownQueue, ShownRequest } from './read-queue.ts'

type Open = ShownQueue['requests'][number]

// What the agent read from a document or heard from a server must not move the cursor.
const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ')

const HEAD = ['request', 'directory', 'operation', 'stage', 'age', 'tries', 'next look']

/** A table, and how many there are. */
export function describeQueue({ now, pause, total, requests }: ShownQueue): readonly string[] {
  const rows = requests.map((one) => [
    ...[one.id, one.directory, one.operation, one.stage],
    one.issuedAt === null ? '-' : describeAge(now - one.issuedAt),
    String(one.attempts),
    nextOf(one),
  ])
  const count = total === 1 ? '1 open request' : `${total} open requests`
  return [
    ...(pause.store || pause.here ? describePause(pause) : []),
    ...(rows.length === 0 ? [] : table([HEAD, ...rows])),
    rows.length < total
      ? `${rows.length} of ${count}; --limit shows more`
      : total === 0
        ? 'no open requests'
        : count,
  ]
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => plain(row[column] ?? '').length)))
  return rows.map((row) =>
    row
      .map((cell, column) => plain(cell).padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

const nextOf = ({ stage, nextLookInMs }: Open): string =>
  nextLookInMs === null ? (stage === 'under_way' ? 'now' : '-') : `in ${describeAge(nextLookInMs + 999)}`

/** Who has paused, one line each. */
export function describePause({ store, here }: ShownPause): readonly string[] {
  return [
    ...(here ? [`PAUSED on this host by ${plain(here.by)} since ${momentOf(here.at)}`] : []),
    ...(store ? ['PAUSED by the reset store'] : []),
    ...(store || here ? [] : ['not paused: writing goes on']),
  ]
}

const momentOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** One request: where it stands or how it ended, then every write and fence that was tried. */
export function describeRequest(request: ShownRequest): readonly string[] {
  const { id, directory, subject, now, open, ended, earlier, attempts } = request
  const rows: readonly Row[] = [
    ['directory', plain(directory)],
    ['account', plain(subject)],
    ...(open ? openRows(open, now) : []),
    ...(ended ? endRows(ended) : []),
    ...earlier.map((one): Row => ['before', plain(`agent ${one.agent} may have written at ${one.server}`)]),
    ...attempts.map(
      ({ n, action, server, startedAt, answer }): Row => [
        `try ${n}`,
        plain(`${action} at ${server}, ${describeAge(now - startedAt)} ago: ${answer ?? 'no answer yet'}`),
      ],
    ),
    ...(attempts.length === 0 ? [['tries', 'none: nothing was sent'] as const] : []),
  ]
  return [`request ${plain(id)}`, ...alignRows(rows)]
}

function openRows(open: Open, now: number): readonly Row[] {
  const left = open.expiresAt - now
  return [
    ['operation', plain(open.operation)],
    ['stage', plain(open.stage)],
    ['issued', open.issuedAt === null ? 'not known' : `${describeAge(now - open.issuedAt)} ago`],
    ['expires', left < 0 ? `${describeAge(-left)} ago` : `in ${describeAge(left)}`],
    ['lease', String(open.lease)],
    ['receipt', open.server === null ? 'not confirmed' : plain(`for ${open.server}`)],
    ['next look', nextOf(open)],
  ]
}

function endRows(ended: NonNullable<ShownRequest['ended']>): readonly Row[] {
  const { state, outcome, reason, detail, server, storeAnswer, at } = ended
  const what = [outcome ?? 'left to another agent', reason].filter((word) => word !== null).join(', ')
  return [
    ['ended', plain(what)],
    ...(detail === null ? [] : [['detail', plain(detail)] as const]),
    ...(server === null ? [] : [['decided at', plain(server)] as const]),
    ['delivery', plain(storeAnswer === null ? state : `${state}: ${storeAnswer}`)],
    ['since', momentOf(at)],
  ]
}
