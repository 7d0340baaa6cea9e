// A planted bug must be caught for what it is.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from '@jest/globals'
import { applyEdit } from '../test-build/source-edits.ts'
import { judgeCatch } from './judge-catch.ts'
import { PLANTED_BUGS } from './planted-bugs.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

const record = { seed: 12, invariants: ['I2', 'I4'] }

test('a bug is caught by an invariant that its record names', () => {
  expect(judgeCatch(['I4', 'I9'], [], record)).toEqual(['I4'])
})

test('what the record does not name, or breaks without the bug as well, is no catch', () => {
  expect(judgeCatch(['I9'], [], record)).toEqual([])
  expect(judgeCatch(['I2'], ['I2'], record)).toEqual([])
})

test('a bug that is looked for anew is not caught by rules that any change of a run may move', () => {
  expect(judgeCatch(['I5', 'I7'], [], undefined)).toEqual([])
  expect(judgeCatch(['I5', 'I10'], [], undefined)).toEqual(['I10'])
})

test.each(PLANTED_BUGS)('the planted bug $name fits the source as it is now', ({ edits }) => {
  for (const [file, own] of Map.groupBy(edits, ({ file }) => file)) {
    const source = readFileSync(path.join(ROOT, file), 'utf8')
    expect(own.reduce(applyEdit, source)).not.toBe(source)
  }
})
