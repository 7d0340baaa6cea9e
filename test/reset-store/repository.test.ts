// Transactions of the store's database: together on the disk, each all or nothing; and what is not opened.
import { statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from '@jest/globals'
import { openDatabase } from '../../src/reset-store/database/open-database.ts'
import type { AgentRecord, NewRequest, RequestRecord } from '../../src/reset-store/database/repository.ts'
import { MIGRATIONS } from '../../src/reset-store/database/schema.ts'
import {
  createSqliteRepository,
  openSqliteRepository,
} from '../../src/reset-store/database/sqlite-repository.ts'
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

const agentOf = (id: string): AgentRecord => ({
  ...{ id, name: id, directories: ['corp'], sealingKeys: [{ kid: 'k', statement: 's' }], enrolledAt: 1 },
  ...{
    identityKey: { kid: id } as AgentRecord['identityKey'],
    lastSeenAt: 1,
    revokedAt: null,
    heartbeat: null,
  },
})

const requestOf = (id: string, anchor: string): NewRequest => ({
  ...{ id, directory: 'corp', anchor, displayName: 'Ada', operation: 'reset', creator: 'c', options: {} },
  actor: { kind: 'administrator', name: 'c', methods: ['token'], audit: 'none' },
  ...{ createdAt: 1, expiresAt: 1000, offeredKeys: ['k'] },
})

const DONE = 'fulfilled'
const UNDONE = 'rejected'

test('what was undone is not remembered, be it the first of its group or a later one', async () => {
  const repository = openSqliteRepository(path.join(directory, 'undone.db'))
  const seen: unknown[] = []
  const { transaction } = repository
  const fail = () => Promise.reject(new Error('undone'))
  const look = () =>
    transaction(async (records) => {
      const agents = (await records.listAgents()).map((agent) => [
        agent.id,
        agent.revokedAt,
        agent.lastSeenAt,
      ])
      const overdue = (await records.findOverdue(1000)).map(({ id }) => id)
      seen.push([agents, overdue, await records.readFact('f')])
    })
  const first = await Promise.allSettled([
    transaction(async (records) => {
      await records.addAgent(agentOf('a'))
      await records.writeFact('f', 'yes')
      await records.listAgents()
      return fail()
    }),
    look(),
    transaction((records) => records.addAgent(agentOf('b'))),
    look(),
  ])
  const later = await Promise.allSettled([
    transaction((records) => records.addRequest(requestOf('r', 'x'))),
    transaction(async (records) => {
      await records.revokeAgent('b', 5)
      await records.rememberCall({ jti: 'j', expiresAt: 9, agent: 'b', at: 7 })
      await records.addReceipt('r', { lease: 1, agent: 'b', server: 's', at: 1, until: 9 })
      expect(await records.findAgent('b')).toMatchObject({ revokedAt: 5, lastSeenAt: 7 })
      expect(await records.findOverdue(1000)).toEqual([])
      return fail()
    }),
    look(),
  ])
  expect([...first, ...later].map(({ status }) => status)).toEqual([
    UNDONE,
    DONE,
    DONE,
    DONE,
    DONE,
    UNDONE,
    DONE,
  ])
  expect(seen).toEqual([
    [[], [], undefined],
    [[['b', null, 1]], [], undefined],
    [[['b', null, 1]], ['r'], undefined],
  ])
  await repository.close()
})

test('requests of one subject take the place of nobody else', async () => {
  const repository = openSqliteRepository(path.join(directory, 'places.db'))
  const found = await repository.transaction(async (records) => {
    for (const [index, anchor] of ['x', 'x', 'x', 'x', 'y', 'z'].entries()) {
      const request = requestOf(`r${index}`, anchor)
      await records.addRequest(request)
      const issue = { digest: 'd', at: 1, keys: ['k'], sequence: index + 1, document: 'j' }
      await records.issueRequest(request as RequestRecord, issue)
    }
    const wish = { places: { corp: 2 }, onlyReceived: false }
    return records.findClaimable(agentOf('a'), 10, wish)
  })
  expect(found.map(({ id }) => id)).toEqual(['r0', 'r4'])
  await repository.close()
})

test('nobody is answered before the disk holds what he was told, and the next group does not wait for that', async () => {
  const syncs: PromiseWithResolvers<void>[] = []
  const sync = () => {
    syncs.push(Promise.withResolvers())
    return syncs.at(-1)?.promise ?? Promise.resolve()
  }
  const database = openDatabase(path.join(directory, 'held.db'))
  const repository = createSqliteRepository(database, { gather: async () => {}, sync, close: () => {} })
  const told: string[] = []
  const ask = (name: string, work: Parameters<typeof repository.transaction>[0]) =>
    repository.transaction(work).finally(() => told.push(name))
  const written = ask('write', (records) => records.writeFact('a', 'yes'))
  await sleep(20)
  // Read before it is on the disk: said only after.
  const read = repository.transaction((records) => records.readFact('a')).finally(() => told.push('read'))
  const later = ask('later write', (records) => records.writeFact('b', 'yes'))
  await sleep(20)
  expect([told, syncs.length, database.prepare('SELECT count(*) AS n FROM facts').get()?.['n']]).toEqual([
    [],
    1,
    2,
  ])
  syncs[0]?.resolve()
  await written
  await sleep(20)
  expect([told, syncs.length]).toEqual([['write'], 2])
  syncs[1]?.reject(new Error('EIO'))
  await expect(later).rejects.toMatchObject({ code: 'ERR_DATABASE_UNUSABLE', retry: 'later' })
  await expect(read).rejects.toMatchObject({ code: 'ERR_DATABASE_UNUSABLE' })
  // What that sync may have lost is copied into the main file first.
  expect(await repository.transaction((records) => records.readFact('b'))).toBe('yes')
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

test('a database of the second version keeps its requests and users, and takes what is new', async () => {
  const file = path.join(directory, 'second.db')
  const database = new DatabaseSync(file)
  for (const step of MIGRATIONS.slice(0, 2)) database.exec(step)
  database.exec('PRAGMA user_version = 2')
  database.exec("INSERT INTO users VALUES ('ada', 'Ada', 'corp', 'x')")
  const add = database.prepare(
    `INSERT INTO requests (id, directory, anchor, display_name, operation, options, actor, creator, created_at,
       expires_at, offered_keys, state, sealed_digest, sealed_at, sealed_keys, sequence, document, outcome, closed_at)
     VALUES (?, 'corp', 'x', 'Ada', 'reset', '{}', '{}', 'c', 1, 900, '["k"]', ?, 'd', 2, '["k"]', ?, 'j', ?, ?)`,
  )
  add.run('old', 'closed', 5, 'applied', 3)
  add.run('new', 'open', 6, null, null)
  database.close()
  const repository = openSqliteRepository(file)
  const keys = [{ kid: 'k', statement: 's' }]
  const agent = { id: 'a', directories: ['corp'], sealingKeys: keys } as unknown as AgentRecord
  await repository.transaction(async (records) => {
    expect(await records.findUser('corp', 'x')).toMatchObject({ name: 'ada', objectGuid: null })
    expect(await records.findRequest('old')).toMatchObject({
      issue: { digest: 'd', at: 2, keys: ['k'], sequence: 5 },
      closing: { outcome: 'applied', account: null, rule: null, policy: null },
    })
    const wish = { places: { corp: 9 }, onlyReceived: false }
    expect((await records.findClaimable(agent, 10, wish)).map(({ id }) => id)).toEqual(['new'])
    for (const [askedAt, objectGuid, isPinned] of [
      [5, 'f', true],
      [5, 'g', true],
      [4, 'older', false],
    ] as const)
      expect(await records.pinUser('corp', 'x', { objectGuid, askedAt })).toBe(isPinned)
    expect(await records.findUserByName('ada')).toMatchObject({ objectGuid: 'g' })
    expect(await records.readPolicies('corp')).toBeUndefined()
  })
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
