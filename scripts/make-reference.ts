// Writes what is generated from the source: the configuration reference in README.md, the codes in docs/codes.md, the table in
// docs/runbook.md, and the schemas beside the example configurations. With --check it writes nothing and fails when something is stale.
import { readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { agentConfigSchema } from '../src/config/agent-config.ts'
import { writeJsonSchema } from '../src/config/json-schema.ts'
import { storeConfigSchema } from '../src/config/store-config.ts'
import { ERRORS } from '../src/errors/error-codes.ts'
import {
  type CodeExplanation,
  FAILURE_REASONS,
  NOTICES,
  OUTCOMES,
  REFUSAL_REASONS,
} from '../src/protocol/codes.ts'
import { PROBLEMS } from '../src/protocol/problem-codes.ts'
import { CONDITIONS, type ConditionRule } from '../src/telemetry/conditions.ts'

interface Schema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly required?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
const table = (head: readonly string[], rows: readonly string[]): string =>
  [row(...head), `|${'---|'.repeat(head.length)}`, ...rows].join('\n')

function kindOf(schema: Schema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (schema.anyOf) return schema.anyOf.map(kindOf).join(' or ')
  if (schema.type === 'array') return `list of ${kindOf(schema.items ?? {})}`
  const hasRange = schema.minimum !== undefined && schema.maximum !== undefined
  const kind =
    { string: 'text', number: 'number', integer: 'whole number', boolean: 'true or false', object: 'parts' }[
      schema.type ?? ''
    ] ?? 'value'
  return hasRange ? `${kind}, ${schema.minimum} to ${schema.maximum}` : kind
}

function rowsOf(schema: Schema, path: string, required: boolean): string[] {
  if (typeof schema.additionalProperties === 'object')
    return rowsOf(schema.additionalProperties, `${path}.<name>`, false)
  if (schema.oneOf) return rowsOfKinds(schema.oneOf, path, required)
  if (!schema.properties) {
    const fallback =
      schema.default === undefined
        ? required
          ? '**required**'
          : ''
        : `\`${JSON.stringify(schema.default)}\``
    const own = row(`\`${path}\``, kindOf(schema), fallback, schema.description ?? '')
    return [own, ...(schema.items?.properties ? rowsOf(schema.items, `${path}[]`, true) : [])]
  }
  return Object.entries(schema.properties).flatMap(([key, value]) =>
    rowsOf(value, path === '' ? key : `${path}.${key}`, schema.required?.includes(key) ?? false),
  )
}

/** Rows that all kinds share once, the others with the kind they are for. */
function rowsOfKinds(kinds: readonly Schema[], path: string, required: boolean): string[] {
  const named = kinds.map((kind) => ({
    name: String(kind.properties?.['type']?.const),
    rows: rowsOf(kind, path, required),
  }))
  const isShared = (one: string) => named.every(({ rows }) => rows.includes(one))
  const shared = named[0]?.rows.filter(isShared) ?? []
  return [
    ...named.flatMap(({ name, rows }) =>
      rows.filter((one) => !isShared(one)).map((one) => one.replace('` |', `\` (${name}) |`)),
    ),
    ...shared,
  ]
}

const configTable = (schema: z.ZodType): string =>
  table(
    ['key', 'value', 'default', 'meaning'],
    rowsOf(z.toJSONSchema(schema, { io: 'input' }) as Schema, '', false),
  )

const codeTable = (codes: Readonly<Record<string, CodeExplanation>>): string =>
  table(
    ['code', 'meaning', 'who can act', 'next step'],
    Object.entries(codes).map(([code, { meaning, whoActs, nextStep }]) =>
      row(`\`${code}\``, meaning, whoActs, nextStep),
    ),
  )

/** Errors of one part are mended by the same people. */
function whoMends(code: string): string {
  if (code === 'ERR_PASSWORD_UNREPRESENTABLE') return 'user'
  if (code === 'ERR_USAGE') return 'whoever typed it'
  return /^ERR_(DIRECTORY|LDAP)_/.test(code) ? 'directory administrator' : 'operator'
}

const linkOf = (code: string): string => `[\`${code}\`](runbook.md#${code})`

const conditionTable = table(
  ['condition', 'severity', 'follows from, where that holds too'],
  Object.entries<ConditionRule>(CONDITIONS).map(([code, { severity, dependsOn = [] }]) =>
    row(`[\`${code}\`](#${code})`, severity, dependsOn.map((one) => `\`${one}\``).join(', ')),
  ),
)

const codes = `# Every code

Generated from the tables in the source; the API document and the command line use the same ones.

## Outcomes of a request

${codeTable(OUTCOMES)}

## Why a request was refused

How each one comes about: [reasons.md](reasons.md).

${codeTable(REFUSAL_REASONS)}

## Why a request failed

${codeTable(FAILURE_REASONS)}

## Notices beside an outcome

${codeTable(NOTICES)}

## Conditions of a running agent

What each one means, what users feel, how to check it and how it clears: [runbook.md](runbook.md).

${table(
  ['condition', 'severity', 'what to do'],
  Object.entries(CONDITIONS).map(([code, { severity, remedy }]) => row(linkOf(code), severity, remedy)),
)}

## Errors of the programs

${table(
  ['code', 'meaning', 'who can act', 'what to do'],
  Object.entries(ERRORS).map(([code, { meaning, remedy }]) =>
    row(`\`${code}\``, meaning, whoMends(code), remedy),
  ),
)}

## Problems that the reset store answers with

${table(
  ['code', 'HTTP status', 'meaning', 'who can act', 'next step'],
  Object.entries(PROBLEMS).map(([code, { status, meaning, whoActs, nextStep }]) =>
    row(`\`${code}\``, String(status), meaning, whoActs, nextStep),
  ),
)}
`

const MARKS = { agent: agentConfigSchema, store: storeConfigSchema }
const file = (name: string): URL => new URL(`../${name}`, import.meta.url)

/** The page with this table in the place that it has for it. */
function filled(page: string, name: string, generated: string): string {
  const [begin, end] = [`<!-- ${name}: generated -->`, `<!-- end of ${name} -->`]
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`no page has a place for: ${name}`)
  return `${before}${begin}\n${generated}\n${end}${after}`
}

const readme = Object.entries(MARKS).reduce(
  (page, [name, schema]) => filled(page, `${name} configuration`, configTable(schema)),
  readFileSync(file('README.md'), 'utf8'),
)
const wanted = {
  'README.md': readme,
  'docs/runbook.md': filled(
    readFileSync(file('docs/runbook.md'), 'utf8'),
    'the table of conditions',
    conditionTable,
  ),
  'docs/codes.md': codes,
  'config/agent.schema.json': writeJsonSchema('agent'),
  'config/store.schema.json': writeJsonSchema('store'),
}
const isCheck = process.argv.includes('--check')
for (const [name, text] of Object.entries(wanted)) {
  const isFresh = readOr(name) === text
  if (isCheck && !isFresh) {
    process.stderr.write(`${name} is stale; run: node scripts/make-reference.ts\n`)
    process.exitCode = 1
  } else if (!isFresh) writeFileSync(file(name), text)
}

function readOr(name: string): string {
  try {
    return readFileSync(file(name), 'utf8')
  } catch {
    return ''
  }
}
