// Transactions of the store's database: together on the disk, each all or nothing; and what is not opened.
import { statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, test } from '@jest/globals'
import { MIGRATIONS } from '../../src/reset-store/database/schema.ts'
import { openSqliteRepository } from '../../src/reset-store/database/sqlite-repository.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'

const directory = makeScratchDirectory()
afterAll(() => removeScratchDirectory(directory))

test('work that throws is undone alone, whatever shares its wait for the disk', async () => {
  const repository = openSqliteRepository(path.join(directory, 'group.db'))
  const write = (name: string, fails: boolean) =>
    repository.transaction(async (records) => {
      await records.writeFact(name, 'yes')
      if (fails) throw new Error(name)
      return name
    })
  const results = await Promise.allSettled([write('a', false), write('b', true), write('c', false)])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  const read = (name: string) => repository.transaction((records) => records.readFact(name))
  expect(await Promise.all(['a', 'b', 'c'].map(read))).toEqual(['yes', undefined, 'yes'])
  await repository.close()
})

test('closing waits for what was begun', async () => {
  const file = path.join(directory, 'closing.db')
  const repository = openSqliteRepository(file)
  const written = repository.transaction((records) => records.writeFact('late', 'yes'))
  await repository.close()
  await written
  const again = openSqliteRepository(file)
  expect(await again.transaction((records) => records.readFact('late'))).toBe('yes')
  await again.close()
})

test('a database of the first version is brought forward, and what it answered in vain is forgotten', async () => {
  const file = path.join(directory, 'first.db')
  const database = new DatabaseSync(file)
  database.exec(MIGRATIONS[0] ?? '')
  database.exec('PRAGMA user_version = 1')
  const add = database.prepare("INSERT INTO outcomes VALUES ('r', ?, 'a', 'j', ?, 1)")
  add.run('vain', 'request_not_found')
  add.run('good', 'accepted')
  database.close()
  const repository = openSqliteRepository(file)
  const found = await repository.transaction(async (records) => [
    await records.findOutcome('r', 'vain'),
    await records.findOutcome('r', 'good'),
  ])
  expect(found).toEqual([undefined, 'accepted'])
  await repository.close()
})

test('a file of a newer version, or of something else, is not opened', () => {
  const newer = path.join(directory, 'newer.db')
  const database = new DatabaseSync(newer)
  database.exec('PRAGMA user_version = 999')
  database.close()
  const foreign = path.join(directory, 'foreign.db')
  writeFileSync(foreign, 'this is not a database, only text that is long enough to have a header')
  for (const file of [newer, foreign])
    expect(() => openSqliteRepository(file)).toThrow(
      expect.objectContaining({ code: 'ERR_DATABASE_UNUSABLE' }),
    )
  expect(statSync(newer).mode & 0o777).toBe(0o600)
})
