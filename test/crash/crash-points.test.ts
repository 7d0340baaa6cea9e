// The crash points fit the source as it is now, and none of the 42 is forgotten.
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from '@jest/globals'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'
import { chooseDirectory, turnOf, wordsOf } from '../servers/turn-of-commit.ts'
import { planCrash, readDiary, takePlan } from '../test-build/crash-plan.ts'
import { PLANTS } from '../test-build/crash-plants.ts'
import { ABSENT_POINTS, CRASH_POINTS, crashEdits } from '../test-build/crash-points.ts'
import { ROTATION_POINTS } from '../test-build/rotation-points.ts'
import { applyEdit, type SourceEdit } from '../test-build/source-edits.ts'
import { findMissed } from './plan-death.ts'

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
  for (const { id, openldap } of [...CRASH_POINTS, ...ROTATION_POINTS])
    for (const side of ['before', 'after'] as const) {
      const places = openldap?.[side] === undefined ? 1 : 2
      expect(edited.split(`('${id}:${side}',`)).toHaveLength(places + 1)
    }
})

test('each of the 42 points is run, or has the reason why it is not there', () => {
  const numbers = [...CRASH_POINTS, ...ROTATION_POINTS, ...ABSENT_POINTS].map(({ id }) => Number(id.slice(1)))
  expect(numbers.toSorted((one, other) => one - other)).toEqual(
    Array.from({ length: 42 }, (_, index) => index + 1),
  )
  expect(ABSENT_POINTS.filter(({ reason }) => reason.length < 20)).toEqual([])
})

test.each(Object.keys(PLANTS))('the planted bug %s fits the source beside the crash points', (name) => {
  expect(applyAll([...crashEdits(), ...(PLANTS[name]?.edits ?? [])]).size).toBeGreaterThan(0)
})

test('a planned death strikes its own request alone, and stands in the diary with it', () => {
  const scratch = makeScratchDirectory()
  try {
    const file = path.join(scratch, 'agent.yaml')
    planCrash(file, { at: 'C8:before', request: 'own' })
    expect(takePlan(file, 'C8:before', 'other')).toBeUndefined()
    expect(takePlan(file, 'C8:before', 'own')).toMatchObject({ request: 'own' })
    // On the wire nobody knows whose bytes they are.
    planCrash(file, { at: 'C18:after', request: 'own' })
    expect(takePlan(file, 'C18:after', undefined)).toMatchObject({ request: 'own' })
    expect(readDiary(file)).toEqual([{ at: 'C8:before', request: 'own' }, { at: 'C18:after' }])
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
})

test('a death that came twice, elsewhere, or to another request is a fault of its cell', () => {
  const own = { at: 'C8:before', request: 'own' }
  expect(findMissed([own], 0, 'C8:before', 'own')).toEqual([])
  expect(findMissed([own, own], 0, 'C8:before', 'own')).toHaveLength(1)
  expect(findMissed([], 0, 'C8:before', 'own')).toHaveLength(1)
  expect(findMissed([own], 0, 'C9:before', 'own')).toHaveLength(1)
  expect(findMissed([{ ...own, request: 'other' }], 0, 'C8:before', 'own')).toHaveLength(1)
})

test('commits take turns: every third on either directory, chaos on the other one, with either scheme, each as often', () => {
  const turns = Array.from({ length: 240 }, (_, hash) =>
    turnOf(`${'a'.repeat(36)}${hash.toString(16).padStart(4, '0')}`),
  )
  const counts = Map.groupBy(turns, ({ third, crashes, scheme }) => `${third} ${crashes} ${scheme}`)
  expect([...counts.values()].map((own) => own.length)).toEqual(Array(12).fill(20))
  expect(turns.filter(({ crashes, chaos }) => crashes === chaos)).toEqual([])
})

test('words go before the commit’s choice, and what is printed chooses the same again', () => {
  const byCommit = chooseDirectory({}, 'openldap', '{ARGON2}')
  expect(wordsOf(byCommit)).toBe("--directory openldap --scheme '{ARGON2}'")
  expect(chooseDirectory({ scheme: '{SSHA}' }, 'openldap', '{ARGON2}').scheme).toBe('{SSHA}')
  expect(wordsOf(chooseDirectory({ directory: 'active-directory' }, 'openldap', '{SSHA}'))).toBe(
    '--directory active-directory',
  )
  for (const wish of [{ scheme: '{SSHA}' }, { directory: 'samba' }])
    expect(() => chooseDirectory(wish, 'active-directory', '{SSHA}')).toThrow()
  expect(() => chooseDirectory({ scheme: '{MD5}' }, 'openldap', '{SSHA}')).toThrow(/\{SSHA\}, \{ARGON2\}/)
})
