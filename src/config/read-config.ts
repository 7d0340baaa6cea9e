// Reads one YAML file into a complete, checked configuration, or names every fault with its place.
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml'
import type { z } from 'zod'
import { WritebackError } from '../errors/writeback-error.ts'
import { describeIssue } from './describe-issue.ts'

/** One fault of a configuration file. Lines and columns begin at 1. */
export interface ConfigFault {
  /** Key path, for instance `directories.corp.controllers`. */
  readonly path: string
  readonly line: number
  readonly column: number
  readonly message: string
}

/** A configuration that cannot be used, with all its faults. Code ERR_CONFIG_INVALID. */
export class ConfigError extends WritebackError {
  readonly file: string
  readonly faults: readonly ConfigFault[]

  constructor(file: string, faults: readonly ConfigFault[]) {
    const lines = faults.map(
      ({ path, line, column, message }) => `  ${file}:${line}:${column} ${path ? `${path}: ` : ''}${message}`,
    )
    super(
      'ERR_CONFIG_INVALID',
      `the configuration has ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}\n${lines.join('\n')}`,
    )
    this.file = file
    this.faults = faults
  }
}

/**
 * Reads and checks a configuration file; relative paths in it are the schema's business (see `fileIn`). Throws
 * ERR_CONFIG_UNREADABLE, or ConfigError with every fault at once.
 */
export function readConfig<T>(file: string, schema: z.ZodType<T>, rules: Rules = noRules): T {
  return parseConfig(file, readText(file), schema, rules)
}

/** A fault that a rule over several parts found. */
export interface RuleFault {
  readonly path: readonly string[]
  readonly message: string
}

/** Rules over several parts of a file; asked also when single parts have faults. */
export type Rules = (value: unknown) => readonly RuleFault[]

const noRules: Rules = () => []

/** As readConfig, for text at hand. */
export function parseConfig<T>(file: string, text: string, schema: z.ZodType<T>, rules: Rules = noRules): T {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    merge: false,
    prettyErrors: false,
  })
  if (document.errors.length > 0) {
    throw new ConfigError(
      file,
      document.errors.map((error) => ({
        path: '',
        ...placeAt(lines, error.pos[0]),
        message: sentenceOf(error.code),
      })),
    )
  }
  refuseAliases(file, document, lines)
  const value: unknown = document.toJS() ?? {}
  const result = schema.safeParse(value)
  const ruled = rules(value).map(({ path, message }) => ({
    ...{ path: path.join('.'), message },
    ...placeOf(document, lines, path),
  }))
  if (result.success && ruled.length === 0) return result.data
  const faults = result.error?.issues.flatMap((issue) => faultsOf(issue, document, lines)) ?? []
  throw new ConfigError(
    file,
    [...faults, ...ruled].sort((a, b) => a.line - b.line || a.column - b.column),
  )
}

// An alias would let one secret or one scope be read in two places, and some bombs are made of them.
function refuseAliases(file: string, document: Document, lines: LineCounter): void {
  const faults: ConfigFault[] = []
  visit(document, {
    Alias: (_key, node) => {
      const place = placeAt(lines, node.range?.[0] ?? 0)
      faults.push({ path: '', ...place, message: sentenceOf('ALIAS_NOT_ALLOWED') })
    },
  })
  if (faults.length > 0) throw new ConfigError(file, faults)
}

/** Resolves a path of the configuration against the directory of its file. */
export const fileIn = (configFile: string, path: string): string => resolve(dirname(configFile), path)

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WritebackError('ERR_CONFIG_UNREADABLE', `configuration file ${file} cannot be read`, { cause })
  }
}

function faultsOf(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): ConfigFault[] {
  const path = issue.path.map(String)
  if (issue.code !== 'unrecognized_keys')
    return [{ path: path.join('.'), ...placeOf(document, lines, path), message: describeIssue(issue) }]
  return issue.keys.map((key) => ({
    path: [...path, key].join('.'),
    ...placeOf(document, lines, [...path, key]),
    message: 'this key is not known here',
  }))
}

// The deepest part of the path that the file really has; a missing key is shown at its parent.
function placeOf(
  document: Document,
  lines: LineCounter,
  path: readonly string[],
): { line: number; column: number } {
  let node: unknown = document.contents
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0
  for (const key of path) {
    const pair = isMap(node)
      ? node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === key)
      : undefined
    const next = pair
      ? pair.value
      : isNode(node) && 'items' in node
        ? (node.items as unknown[])[Number(key)]
        : undefined
    if (next === undefined || next === null)
      return placeAt(lines, pair && isScalar(pair.key) ? (pair.key.range?.[0] ?? offset) : offset)
    offset =
      pair && isScalar(pair.key)
        ? (pair.key.range?.[0] ?? offset)
        : isNode(next)
          ? (next.range?.[0] ?? offset)
          : offset
    node = next
  }
  return placeAt(lines, offset)
}

function placeAt(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

const sentenceOf = (code: string): string =>
  `not readable as YAML (${code.toLowerCase().replaceAll('_', ' ')})`
