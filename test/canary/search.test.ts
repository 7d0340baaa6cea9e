// Every encoding is what it says, and the search finds each of its forms wherever it stands.
import { rmSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'
import { watchJournal } from './journal-watch.ts'
import { leakExamples } from './leak-examples.ts'
import { md4 } from './md4.ts'
import { createSearch } from './search.ts'
import { ENCODINGS, secretForms } from './secret-forms.ts'
import { findBlind, SINKS } from './sinks.ts'

const word = 'Canary-Word!8?>'
const secret = Buffer.from(word)
const search = createSearch([{ kind: 'word', bytes: secret }])
const encodingsIn = (bytes: Buffer): ReadonlySet<string> =>
  new Set(search.find(bytes).map(({ encoding }) => encoding))

test.each(Object.entries(leakExamples(word)))('finds what a program leaked as %s', (encoding, leak) => {
  expect(encodingsIn(Buffer.from(leak))).toContain(encoding)
})

test('a sink that nothing came out of is blind, unless it has a reason to be empty', () => {
  const all = new Set(SINKS)
  expect(findBlind(all)).toEqual([])
  all.delete('agent stdout')
  expect(findBlind(all)).toEqual([])
  all.delete('Redis MONITOR')
  expect(findBlind(all)).toEqual(['Redis MONITOR'])
})

test('there are fourteen encodings', () => {
  expect(Object.keys(ENCODINGS)).toHaveLength(14)
})

test('every form is found at every alignment, at the end of the bytes too', () => {
  for (const { encoding, bytes } of secretForms(secret))
    for (let before = 0; before < 5; before += 1) {
      const place = Buffer.concat([Buffer.alloc(before, '.'), bytes])
      expect(search.find(place)).toContainEqual(expect.objectContaining({ encoding, at: before }))
    }
})

test('finds a base64 leak at each of its three alignments', () => {
  for (const before of ['', 'a', 'ab'])
    expect(encodingsIn(Buffer.from(Buffer.from(`${before}${word}`).toString('base64')))).toContain('base64')
})

test('the hash that a domain controller keeps is the known one', () => {
  expect(md4(Buffer.from('password', 'utf16le')).toString('hex')).toBe('8846f7eaee8fb117ad06bdd830b7586c')
  expect(md4(Buffer.alloc(80, 'a'))).toHaveLength(16)
})

test('finds nothing where nothing is, and not a part of a secret', () => {
  expect(search.find(Buffer.alloc(100_000, '7Canary-Wor'))).toEqual([])
  expect(search.find(Buffer.alloc(0))).toEqual([])
  expect(search.find(Buffer.alloc(7))).toEqual([])
})

test('refuses a secret that would be found by chance', () => {
  expect(() => createSearch([{ kind: 'short', bytes: Buffer.from('Abc-123') }])).toThrow('less than')
})

test('what stood in the write-ahead log is kept when the log is cut', async () => {
  const scratch = makeScratchDirectory()
  const database = new DatabaseSync(path.join(scratch, 'journal.sqlite'))
  const watch = watchJournal(scratch, 1)
  try {
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE words (word TEXT)')
    database.prepare('INSERT INTO words VALUES (?)').run(word)
    const isKept = () => watch.logs().some((bytes) => encodingsIn(bytes).size > 0)
    while (!isKept()) await sleep(2)
    database.exec('DELETE FROM words; PRAGMA wal_checkpoint(TRUNCATE)')
    await sleep(10)
    expect(isKept()).toBe(true)
  } finally {
    watch.stop()
    database.close()
    rmSync(scratch, { recursive: true, force: true })
  }
})
