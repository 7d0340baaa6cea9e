// Writes what is generated from the source: the configuration reference in README.md, the codes in docs/codes.md, and the
// schemas beside the example configurations. With --check it writes nothing and fails when something is stale.
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
import { CONDITIONS } from '../src/telemetry/conditions.ts'

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
    { string: 'text', number: 'number', integer: 'whole number', boolean: 'true or false' }[
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
    return [row(`\`${path}\``, kindOf(schema), fallback, schema.description ?? '')]
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

${table(
  ['condition', 'severity', 'what to do'],
  Object.entries(CONDITIONS).map(([code, { severity, remedy }]) => row(`\`${code}\``, severity, remedy)),
)}

## Errors of the programs

${table(
  ['code', 'meaning', 'what to do'],
  Object.entries(ERRORS).map(([code, { meaning, remedy }]) => row(`\`${code}\``, meaning, remedy)),
)}

## Problems that the reset store answers with

${table(
  ['code', 'HTTP status', 'meaning'],
  Object.entries(PROBLEMS).map(([code, { status, meaning }]) => row(`\`${code}\``, String(status), meaning)),
)}
`

const MARKS = { agent: agentConfigSchema, store: storeConfigSchema }
const file = (name: string): URL => new URL(`../${name}`, import.meta.url)

function readmeWithReference(readme: string): string {
  let text = readme
  for (const [name, schema] of Object.entries(MARKS)) {
    const [begin, end] = [
      `<!-- ${name} configuration: generated -->`,
      `<!-- end of ${name} configuration -->`,
    ]
    const [before, rest] = text.split(begin)
    const after = rest?.split(end)[1]
    if (before === undefined || after === undefined)
      throw new Error(`README.md has no place for the ${name} configuration`)
    text = `${before}${begin}\n${configTable(schema)}\n${end}${after}`
  }
  return text
}

const readme = readFileSync(file('README.md'), 'utf8')
const wanted = {
  'README.md': readmeWithReference(readme),
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
