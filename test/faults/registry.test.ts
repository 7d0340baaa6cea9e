// The registry of faults against the tests that play them: none without a test, and no test that names another.
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from '@jest/globals'
import { type Claim, describeCounts, findGaps, readClaims } from './coverage.ts'
import { FAULTS, type Fault } from './registry.ts'

const TESTS = path.resolve(import.meta.dirname, '..')
// Its titles are made up.
const OWN = 'faults/registry.test.ts'
const inTests = (pattern: string) => globSync(pattern, { cwd: TESTS }).toSorted()
const textOf = (file: string) => readFileSync(path.join(TESTS, file), 'utf8')

/** What runs outside of Jest says in a file of its own what it plays. */
async function readPlays(file: string): Promise<Claim> {
  const { PLAYS } = (await import(path.join(TESTS, file))) as { readonly PLAYS: readonly string[] }
  return { where: file, faults: PLAYS }
}

// The suite on states has its titles beside it.
const TITLED = ['**/*.test.ts', 'e2e/state-cells.ts', 'e2e/policy-facts.ts']
const claims: readonly Claim[] = [
  ...TITLED.flatMap(inTests)
    .filter((file) => file !== OWN)
    .flatMap((file) => readClaims(file, textOf(file))),
  ...(await Promise.all(inTests('*/plays.ts').map(readPlays))),
]

test('every fault is played by a test or says why it is not here, and no test names another', () => {
  const counts = describeCounts(FAULTS, claims)
  process.stdout.write(`faults, played, not here, claims\n${counts.join('\n')}\n`)
  expect(findGaps(FAULTS, claims)).toEqual([])
})

test('the page on the tests has the counts, and each fault that is not here with its reason', () => {
  const page = textOf('README.md')
  const apart = Object.entries<Fault>(FAULTS).flatMap(([name, { notHere }]) =>
    notHere === undefined ? [] : [`- \`${name}\`: ${notHere}`],
  )
  for (const line of [...describeCounts(FAULTS, claims), ...apart]) expect(page).toContain(line)
})

const MADE_UP: Readonly<Record<string, Fault>> = {
  flood: { group: 'host', what: 'Water.' },
  fire: { group: 'host', what: 'Heat.' },
  ice: { group: 'link', what: 'Cold.', notHere: 'no winter' },
}
const claimsOf = (...titles: string[]) =>
  readClaims('a.test.ts', titles.map((title) => `test('${title}', () => {})\n`).join(''))

test('a fault without a test, an unknown one, and one that should not be there are found', () => {
  expect(findGaps(MADE_UP, claimsOf('it burns [fire, flood]'))).toEqual([])
  expect(findGaps(MADE_UP, claimsOf('it burns [fire]'))).toEqual(['no test plays flood'])
  expect(findGaps(MADE_UP, claimsOf('it burns [fire, flood]', 'it shakes [quake]'))).toEqual([
    'no fault is called quake: a.test.ts: it shakes [quake]',
  ])
  expect(findGaps(MADE_UP, claimsOf('it freezes [fire, flood, ice]'))).toEqual([
    'ice is played, though it is said not to be here',
  ])
  expect(findGaps(MADE_UP, claimsOf('it names a part of it [fir, flood]'))).toHaveLength(2)
  expect(findGaps({ constructor: MADE_UP['fire'] as Fault }, [])).toEqual(['no test plays constructor'])
  expect(findGaps(MADE_UP, claimsOf('it burns [fire, flood]', 'it inherits [constructor]'))).toHaveLength(1)
})

test('titles are read from one line and from several, and comments claim nothing', () => {
  const text = [
    `test('one [fire]', async () => {`,
    `test.each([1])(\n  \`two %s [flood, ice]\`,\n  async () => {`,
    `test.each([\n  ['a row [quake]', () => 1],\n])('%s', () => {`,
    `// test('three [fire]', () => {`,
    `test('no name at its end [fire] more', () => {`,
    `test('an account named [%s] is reset', () => {`,
  ].join('\n')
  expect(readClaims('b.test.ts', text).map(({ faults }) => faults)).toEqual([
    ['fire'],
    ['flood', 'ice'],
    ['quake'],
  ])
})

test('the counts are told by group and in all', () => {
  const rows = describeCounts(MADE_UP, claimsOf('it burns [fire, flood]', 'again [fire]'))
  expect(rows).toContain('| host | 2 | 2 | 0 | 3 |')
  expect(rows).toContain('| link | 1 | 0 | 1 | 0 |')
  expect(rows.at(-1)).toBe('| all | 3 | 2 | 1 | 3 |')
})
