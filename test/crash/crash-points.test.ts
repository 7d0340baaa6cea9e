// The crash points fit the source as it is now, and none of the 42 is forgotten.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from '@jest/globals'
import { PLANTS } from '../test-build/crash-plants.ts'
import { ABSENT_POINTS, CRASH_POINTS, crashEdits } from '../test-build/crash-points.ts'
import { applyEdit, type SourceEdit } from '../test-build/source-edits.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

function applyAll(edits: readonly SourceEdit[]): ReadonlyMap<string, string> {
  const byFile = Map.groupBy(edits, ({ file }) => file)
  return new Map(
    [...byFile].map(([file, own]) => [
      file,
      own.reduce(applyEdit, readFileSync(path.join(ROOT, file), 'utf8')),
    ]),
  )
}

test('every edit of every crash point fits the source, all of them together', () => {
  const edited = [...applyAll(crashEdits()).values()].join('')
  for (const { id, openldap } of CRASH_POINTS)
    for (const side of ['before', 'after'] as const) {
      const places = openldap?.[side] === undefined ? 1 : 2
      expect(edited.split(`('${id}:${side}',`)).toHaveLength(places + 1)
    }
})

test('each of the 42 points is run, or has the reason why it is not there', () => {
  const numbers = [...CRASH_POINTS, ...ABSENT_POINTS].map(({ id }) => Number(id.slice(1)))
  expect(numbers.toSorted((one, other) => one - other)).toEqual(
    Array.from({ length: 42 }, (_, index) => index + 1),
  )
  expect(ABSENT_POINTS.filter(({ reason }) => reason.length < 20)).toEqual([])
})

test.each(Object.keys(PLANTS))('the planted bug %s fits the source beside the crash points', (name) => {
  expect(applyAll([...crashEdits(), ...(PLANTS[name]?.edits ?? [])]).size).toBeGreaterThan(0)
})
