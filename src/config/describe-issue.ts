// What is wrong with a value of a configuration, in words for whoever wrote it: the schema's own speak of types.
import type { z } from 'zod'

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys with values',
  record: 'keys with values',
  null: 'empty',
}

const LENGTHS: Readonly<Record<string, string>> = { string: ' in length', array: ' in number' }

/** One fault as a sentence that goes after its key: `must be a list, and is text`. A schema's own sentence stays. */
export function describeIssue(issue: z.core.$ZodIssue): string {
  const { message } = issue
  if (message.endsWith('received undefined')) return 'is missing'
  const [, expected = '', received = ''] =
    /^Invalid input: expected (\w+), received (\w+)$/.exec(message) ?? []
  if (expected === 'int' && received === 'number') return 'must be a whole number'
  if (expected !== '') return `must be ${KINDS[expected] ?? expected}, and is ${KINDS[received] ?? received}`
  const [, choices] =
    /^Invalid (?:option: e|discriminator value\. E)xpected (?:one of )?(.+)$/.exec(message) ?? []
  if (choices !== undefined)
    return `must be one of ${choices.replaceAll("'", '"').replaceAll(/ ?\| ?/g, ', ')}`
  return message.startsWith('Too ') ? describeBound(issue) : message
}

function describeBound(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}${LENGTHS[issue.origin] ?? ''}`
  if (issue.code === 'too_small') return `must be at least ${issue.minimum}${LENGTHS[issue.origin] ?? ''}`
  return issue.message
}
