// The record in the forms that other systems take: the lines themselves, a table, and CEF for a security information system.
import { VERSION } from '../../protocol/version.ts'
import type { AuditLine } from './audit-line.ts'
import type { ReadRecord } from './read-audit.ts'

/** How a record is written. `head`: what stands before all. */
export interface ExportFormat {
  readonly head: string
  readonly row: (record: ReadRecord) => string
}

type Fields = Readonly<Record<string, unknown>>
type Column = readonly [name: string, value: (line: AuditLine) => unknown]

const partOf = (fields: Fields, name: string): Fields => (fields[name] as Fields | undefined) ?? {}
const told = (name: string): Column => [name, ({ fields }) => fields[name]]
const account = (name: string): Column => [name, ({ fields }) => partOf(fields, 'account')[name]]
const actor = (column: string, name: string): Column => [
  column,
  ({ fields }) => partOf(fields, 'actor')[name],
]

const COLUMNS: readonly Column[] = [
  ['sequence', ({ sequence }) => sequence],
  ['time', ({ time }) => time],
  ['kind', ({ kind }) => kind],
  ['entry', ({ entry }) => entry],
  ...['request', 'attempt', 'lease', 'directory', 'action', 'answer', 'outcome', 'reason'].map(told),
  ...['server', 'url', 'directoryTime'].map(told),
  ...['anchor', 'objectGuid', 'sid', 'name'].map(account),
  actor('actorKind', 'kind'),
  actor('actorName', 'name'),
  actor('actorMethods', 'methods'),
  actor('actorAudit', 'audit'),
  ...['events', 'marker', 'notices', 'signed'].map(told),
  ['previous', ({ previous }) => previous],
  ['hash', ({ hash }) => hash],
]

/** RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe before it. */
function csvCell(value: unknown): string {
  const plain = Array.isArray(value) ? value.join(' ') : String(value ?? '')
  const text = typeof value !== 'number' && /^[=+\-@\t\r\n]/.test(plain) ? `'${plain}` : plain
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

const NAMES: Readonly<Record<string, string>> = {
  intent: 'A write begins',
  result: 'A write was answered',
  outcome: 'A request ended',
  operator: 'An operator acted',
  checkpoint: 'The record was signed',
}

const cefHead = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('|', '\\|')
const cefValue = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('=', '\\=').replaceAll('\n', '\\n').replaceAll('\r', '\\r')

/** ArcSight Common Event Format, version 0. */
function cefRow({ line }: ReadRecord): string {
  const { fields, kind, sequence, time, hash } = line
  const what = fields['action'] ?? fields['outcome'] ?? fields['reason']
  const subject = partOf(fields, 'account')
  const values: readonly (readonly [string, unknown])[] = [
    ['rt', Date.parse(time)],
    ['externalId', fields['request']],
    ['act', fields['action']],
    ['outcome', fields['answer'] ?? fields['outcome']],
    ['reason', kind === 'outcome' ? fields['reason'] : undefined],
    ['duser', subject['name']],
    ['duid', subject['sid']],
    ['suser', partOf(fields, 'actor')['name']],
    ['dhost', typeof fields['url'] === 'string' ? new URL(fields['url']).hostname : undefined],
    ['cs1Label', 'sequence'],
    ['cs1', sequence],
    ['cs2Label', 'hash'],
    ['cs2', hash],
    ['cs3Label', 'directory'],
    ['cs3', fields['directory']],
    ['cs4Label', 'objectGuid'],
    ['cs4', subject['objectGuid']],
    ['cs5Label', 'directoryTime'],
    ['cs5', fields['directoryTime']],
    ['cs6Label', 'events'],
    ['cs6', Array.isArray(fields['events']) ? fields['events'].join(' ') : undefined],
    ['cn1Label', 'attempt'],
    ['cn1', fields['attempt']],
  ]
  const isKnown = (value: unknown) => value !== undefined && value !== null && value !== ''
  const extension = values
    .filter(([name, value], index) =>
      name.endsWith('Label') ? isKnown(values[index + 1]?.[1]) : isKnown(value),
    )
    .map(([name, value]) => `${name}=${cefValue(String(value))}`)
  const isBad = kind === 'outcome' && ['unknown', 'failed'].includes(String(fields['outcome']))
  const head = ['writeback', 'agent', VERSION, `${kind}:${String(what ?? '')}`, NAMES[kind] ?? kind]
  return `CEF:0|${head.map(cefHead).join('|')}|${isBad ? 7 : 3}|${extension.join(' ')}`
}

/** Every form of an export. */
export const EXPORT_FORMATS = {
  json: { head: '', row: ({ text }) => `${text}\n` },
  csv: {
    head: `${COLUMNS.map(([name]) => name).join(',')}\r\n`,
    row: ({ line }) => `${COLUMNS.map(([, value]) => csvCell(value(line))).join(',')}\r\n`,
  },
  cef: { head: '', row: (record) => `${cefRow(record)}\n` },
} as const satisfies Readonly<Record<string, ExportFormat>>
export type ExportName = keyof typeof EXPORT_FORMATS
