// The journal on a real disk, with real crashes.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, expect, test } from '@jest/globals'
import { resultOf } from '../../../src/agent/decisions/audit-entry.ts'
import { createJournal, createJournalOn } from '../../../src/agent/journal/create-journal.ts'
import type { Journal } from '../../../src/agent/journal/journal.ts'
import { openDatabase } from '../../../src/agent/journal/open-database.ts'
import { bareEnvironment } from '../../servers/child-process.ts'
import { makeScratchDirectory } from '../../servers/scratch-directory.ts'
import { intentEntry, outcomeEntry } from '../audit/recorded.ts'
import { documentOf, intentOf } from './samples.ts'

const CHILD = join(import.meta.dirname, 'crashing-child.ts')
const cleanUp: (() => void)[] = []
afterEach(() => {
  for (const step of cleanUp.splice(0).reverse()) step()
})

function freshDirectory(): string {
  const directory = makeScratchDirectory()
  cleanUp.push(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'state')
}

function openJournal(directory = freshDirectory()): Journal {
  const journal = createJournal(directory)
  cleanUp.push(() => journal.close())
  return journal
}

function startChild(directory: string, task: string) {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', CHILD, directory, task]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...node], {
    env: bareEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  cleanUp.push(() => child.kill('SIGKILL'))
  return child
}

async function crashAfter(directory: string, task: string): Promise<void> {
  const [code, signal] = await once(startChild(directory, task), 'exit')
  expect([code, signal]).toEqual([null, 'SIGKILL'])
}

const codeOf = (step: () => unknown): unknown => {
  try {
    step()
  } catch (error) {
    return (error as { code: string }).code
  }
  return undefined
}

test('remembers each call that returned before kill -9', async () => {
  const directory = freshDirectory()
  for (const task of ['accept', 'receipt', 'started', 'started', 'intent', 'answer', 'intent', 'set'])
    await crashAfter(directory, task)
  const journal = createJournal(directory)
  expect(journal.find('a')).toEqual({ ...documentOf('a', 1), receiptServer: 'dc1', crashStarts: 2 })
  expect(journal.openIds('main')).toEqual(['a', 'b'])
  expect(journal.intents('a').map(({ n, answer }) => [n, answer])).toEqual([
    [1, 'accepted'],
    [2, undefined],
  ])
  expect(journal.unsettledIntents('a')).toEqual([{ ...intentOf('a', 2), answer: undefined }])
  expect(journal.get('highest')).toBe('42')
  journal.close()
  await crashAfter(directory, 'outcome')
  await crashAfter(directory, 'accept')
  const after = createJournal(directory)
  expect(after.undelivered(10)).toEqual([{ requestId: 'a', bytes: 'signed a' }])
  after.close()
  await crashAfter(directory, 'delivered')
  expect(openJournal(directory).counts()).toMatchObject({ open: 1, undelivered: 0, finished: 1 })
})

test('a kill at any moment leaves no half transaction', async () => {
  const directory = freshDirectory()
  for (let round = 1; round <= 5; round++) {
    const child = startChild(directory, 'fill')
    await once(child.stdout, 'data')
    await sleep(20 + 13 * round)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const journal = createJournal(directory)
    const { open } = journal.counts()
    expect([open > 0, open % 20]).toEqual([true, 0])
    journal.close()
  }
})

test('belongs to one process, and is free again after kill -9 [double_start]', async () => {
  const directory = freshDirectory()
  const child = startChild(directory, 'hold')
  await once(child.stdout, 'data')
  expect(codeOf(() => createJournal(directory))).toBe('ERR_JOURNAL_IN_USE')
  child.kill('SIGKILL')
  await once(child, 'exit')
  const journal = openJournal(directory)
  expect(journal.counts().open).toBe(0)
  expect(codeOf(() => createJournal(directory))).toBe('ERR_JOURNAL_IN_USE')
})

test('refuses the file of a newer release and a file that is no database', () => {
  const directory = freshDirectory()
  createJournal(directory).close()
  const file = join(directory, 'journal.sqlite')
  const db = new DatabaseSync(file)
  db.exec('PRAGMA user_version = 99')
  db.close()
  expect(codeOf(() => createJournal(directory))).toBe('ERR_JOURNAL_UNUSABLE')
  writeFileSync(file, 'not a database at all'.repeat(100))
  expect(codeOf(() => createJournal(directory))).toBe('ERR_JOURNAL_UNUSABLE')
  writeFileSync(join(directory, 'plain-file'), '')
  expect(codeOf(() => createJournal(join(directory, 'plain-file')))).toBe('ERR_JOURNAL_UNUSABLE')
})

test('a full disk is ERR_JOURNAL_UNUSABLE, and what was taken in before stays [disk_full_journal]', async () => {
  const directory = freshDirectory()
  // The limit is on the size of one file; Node ignores the signal and sees a failed write, as on a full disk.
  const command = `ulimit -f 600; exec "$0" "$@"`
  const { stdout } = await promisify(execFile)(
    'bash',
    ['-c', command, process.execPath, CHILD, directory, 'full'],
    { env: { ...bareEnvironment(), NODE_OPTIONS: '--disable-warning=ExperimentalWarning' }, timeout: 20_000 },
  )
  const { code, retry, taken, known } = JSON.parse(stdout)
  expect({ code, retry }).toEqual({ code: 'ERR_JOURNAL_UNUSABLE', retry: 'later' })
  expect(taken).toBeGreaterThan(5)
  expect(known).toBe(taken)
  expect(openJournal(directory).counts().open).toBe(taken)
})

test('only the owner can read its files', () => {
  const directory = freshDirectory()
  openJournal(directory).accept([documentOf('a', 1)])
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  const modes = readdirSync(directory).map((name) => [name, statSync(join(directory, name)).mode & 0o777])
  expect(Object.fromEntries(modes)).toEqual({ 'journal.sqlite': 0o600, 'journal.sqlite-wal': 0o600 })
})

test('a higher lease renews an open request and voids its receipt', () => {
  const journal = openJournal()
  expect(journal.accept([documentOf('a', 1, 5), documentOf('b', 2, 5)])).toEqual(['new', 'new'])
  expect(journal.receipt([{ requestId: 'a', lease: 5, server: 'dc1' }])).toEqual([true])
  expect(journal.accept([documentOf('a', 1, 5), documentOf('a', 1, 4)])).toEqual(['held', 'stale'])
  expect(journal.find('a')?.receiptServer).toBe('dc1')
  const renewed = { ...documentOf('a', 1, 6), earlier: [], last: null }
  expect(journal.accept([renewed])).toEqual(['renewed'])
  expect(journal.find('a')).toEqual({ ...renewed, receiptServer: undefined, crashStarts: 0 })
  expect(journal.receipt([{ requestId: 'a', lease: 5, server: 'dc1' }])).toEqual([false])
})

test('one bad document takes the whole batch back', () => {
  const journal = openJournal()
  const bad = { ...documentOf('b', 2), document: undefined as unknown as string }
  expect(codeOf(() => journal.accept([documentOf('a', 1), bad]))).toBe('ERR_JOURNAL_UNUSABLE')
  expect(journal.counts().open).toBe(0)
  expect(journal.accept([documentOf('a', 1)])).toEqual(['new'])
})

test('never gives out an attempt number twice', () => {
  const journal = openJournal()
  journal.accept([documentOf('a', 1)])
  expect([journal.nextAttempt('a'), journal.nextAttempt('a')]).toEqual([1, 1])
  journal.intent(intentOf('a', 1))
  expect(codeOf(() => journal.intent(intentOf('a', 1)))).toBe('ERR_INTERNAL')
  journal.intent(intentOf('a', journal.nextAttempt('a'), 'fence'))
  journal.release('a', 99, 10)
  expect(journal.find('a')).toBeDefined()
  journal.release('a', 1, 10)
  expect(codeOf(() => journal.intent(intentOf('a', 3)))).toBe('ERR_INTERNAL')
  expect(journal.accept([documentOf('a', 1, 1), documentOf('a', 1, 2)])).toEqual(['stale', 'new'])
  expect(journal.nextAttempt('a')).toBe(3)
  expect(journal.unsettledIntents('a').map(({ n, kind }) => [n, kind])).toEqual([
    [1, 'write'],
    [2, 'fence'],
  ])
  journal.answer('a', 1, 'lost')
  journal.answer('a', 2, 'refused:compare_failed')
  expect(journal.unsettledIntents('a').map(({ n }) => n)).toEqual([1])
  expect(codeOf(() => journal.answer('a', 9, 'accepted'))).toBe('ERR_INTERNAL')
})

test('the first outcome wins and is delivered until the store confirms it', () => {
  const journal = openJournal()
  journal.accept([documentOf('a', 1), documentOf('b', 2)])
  const outcome = { requestId: 'a', outcome: 'applied', bytes: 'signed', atMs: 1 }
  expect(journal.outcome(outcome)).toBe('recorded')
  expect(journal.outcome(outcome)).toBe('same')
  expect(journal.outcome({ ...outcome, bytes: 'other' })).toBe('kept_out')
  expect(codeOf(() => journal.outcome({ ...outcome, requestId: 'none' }))).toBe('ERR_INTERNAL')
  expect(journal.find('a')).toBeUndefined()
  expect(journal.open().map(({ requestId }) => requestId)).toEqual(['b'])
  expect(journal.undelivered(5)).toEqual([{ requestId: 'a', bytes: 'signed' }])
  journal.delivered([{ requestId: 'a', answer: 'accepted' }], 2)
  expect(journal.undelivered(5)).toEqual([])
  expect(journal.accept([documentOf('a', 1, 9)])).toEqual(['closed'])
  expect(journal.undelivered(5)).toEqual([{ requestId: 'a', bytes: 'signed' }])
  journal.release('b', 1, 3)
  expect(journal.outcome({ ...outcome, requestId: 'b' })).toBe('kept_out')
})

test('keeps small settings until they are forgotten', () => {
  const journal = openJournal()
  journal.set('key', 'one')
  journal.set('key', 'two')
  expect(journal.get('key')).toBe('two')
  journal.set('key', undefined)
  expect(journal.get('key')).toBeUndefined()
})

test('a start that came back counts no more, those before it do', () => {
  const journal = openJournal()
  journal.accept([documentOf('a', 1)])
  expect([journal.started('a'), journal.started('a'), journal.started('a')]).toEqual([1, 2, 3])
  journal.rested('a')
  expect(journal.find('a')?.crashStarts).toBe(2)
  for (let more = 0; more < 3; more += 1) journal.rested('a')
  expect(journal.started('a')).toBe(1)
})

test('no file holds a document after its outcome or release and one purge', () => {
  const directory = freshDirectory()
  const journal = openJournal(directory)
  journal.accept([documentOf('a', 1), documentOf('b', 2), documentOf('c', 3)])
  const holds = (text: string) =>
    readdirSync(directory).some((name) => readFileSync(join(directory, name)).includes(text))
  expect(holds('sealed-text-of-a')).toBe(true)
  journal.outcome({ requestId: 'a', outcome: 'applied', bytes: 'signed', atMs: 1 })
  journal.release('b', 1, 1)
  expect(journal.purge(0)).toBe(0)
  expect([holds('sealed-text-of-a'), holds('sealed-text-of-b'), holds('sealed-text-of-c')]).toEqual([
    false,
    false,
    true,
  ])
  journal.delivered([{ requestId: 'a', answer: 'accepted' }], 2)
  // b and a are finished, but a claim may name them until they expire at 1000.
  expect(journal.purge(999)).toBe(0)
  expect(journal.purge(2000)).toBe(2)
  expect(journal.counts()).toMatchObject({ open: 1, undelivered: 0, finished: 0 })
})

test('one request costs the disk and the processor little', () => {
  const journal = openJournal()
  const begun = performance.now()
  const cpu = process.cpuUsage()
  const requests = 200
  for (let i = 0; i < requests; i++) {
    const requestId = `p${i}`
    journal.accept([documentOf(requestId, i)])
    journal.receipt([{ requestId, lease: 1, server: 'dc1' }])
    journal.started(requestId)
    journal.intent(intentOf(requestId, journal.nextAttempt(requestId)))
    journal.outcome({ requestId, outcome: 'applied', bytes: 'signed'.repeat(200), atMs: i })
    journal.delivered([{ requestId, answer: 'accepted' }], i)
  }
  const { user, system } = process.cpuUsage(cpu)
  const wallMs = (performance.now() - begun) / requests
  const cpuMs = (user + system) / 1000 / requests
  console.info(`journal: ${wallMs.toFixed(2)} ms and ${cpuMs.toFixed(2)} ms processor time per request`)
  expect(cpuMs).toBeLessThan(10)
})

test('an outcome that was known before does not pass what a power cut could take back on to the audit record', async () => {
  const journal = openJournal()
  journal.accept([documentOf('a', 1), documentOf('b', 2)])
  const outcome = { requestId: 'a', outcome: 'applied', bytes: 'signed', atMs: 1 }
  journal.outcome(outcome, outcomeEntry('a', 1))
  journal.intent(intentOf('b', 1), intentEntry('b', 1))
  await journal.durable()
  const before = journal.auditEntries(0, 10).length
  expect(before).toBeGreaterThan(0)
  journal.answer('b', 1, 'accepted', resultOf(intentEntry('b', 1), 'accepted', 1))
  expect(journal.outcome(outcome)).toBe('same')
  expect(journal.outcome({ ...outcome, bytes: 'others' })).toBe('kept_out')
  expect(journal.auditEntries(0, 10)).toHaveLength(before)
  journal.auditSettle()
  expect(journal.auditEntries(0, 10)).toHaveLength(before + 1)
})

/** A journal whose disk is in the test's hands: \`syncs\` holds what is waited for now. */
function openHeld(directory = freshDirectory()) {
  const db = openDatabase(directory)
  const syncs: PromiseWithResolvers<void>[] = []
  const sync = () => {
    syncs.push(Promise.withResolvers())
    return syncs.at(-1)?.promise ?? Promise.resolve()
  }
  const journal = createJournalOn(db, { gather: async () => {}, sync, close: () => {} })
  cleanUp.push(() => journal.close())
  const isThere = async (wait: Promise<void>) => Promise.race([wait.then(() => true), sleep(5, false)])
  return { db, journal, syncs, isThere }
}

test('all that is journaled while the disk is busy waits for one more sync, together', async () => {
  const { journal, syncs, isThere } = openHeld()
  journal.accept([documentOf('a', 1), documentOf('b', 2), documentOf('c', 3)])
  const first = journal.durable()
  // What came before the sync began needs no other one.
  const same = journal.durable()
  await sleep(1)
  journal.intent(intentOf('a', 1), intentEntry('a', 1))
  const waits = [journal.durable()]
  journal.intent(intentOf('b', 1), intentEntry('b', 1))
  waits.push(journal.durable(), journal.durable())
  expect(syncs).toHaveLength(1)
  syncs[0]?.resolve()
  await Promise.all([first, same, sleep(1)])
  expect([syncs.length, journal.auditEntries(0, 10)]).toEqual([2, []])
  expect(await isThere(Promise.race(waits))).toBe(false)
  // Too late for the sync that runs.
  journal.intent(intentOf('c', 1), intentEntry('c', 1))
  const late = journal.durable()
  syncs[1]?.resolve()
  await Promise.all([...waits, sleep(1)])
  expect(journal.auditEntries(0, 10)).toHaveLength(2)
  expect(await isThere(late)).toBe(false)
  syncs[2]?.resolve()
  await late
  expect([await isThere(journal.durable()), syncs.length]).toEqual([true, 3])
  expect(journal.auditEntries(0, 10)).toHaveLength(3)
})

test('what a failed sync may have lost is not durable before it stands in the main file', async () => {
  const { journal, syncs, isThere } = openHeld()
  journal.accept([documentOf('a', 1)])
  journal.intent(intentOf('a', 1), intentEntry('a', 1))
  const failed = journal.durable()
  await sleep(1)
  syncs[0]?.reject(new Error('EIO'))
  await expect(failed).rejects.toMatchObject({ code: 'ERR_JOURNAL_UNUSABLE', retry: 'later' })
  expect(journal.auditEntries(0, 10)).toEqual([])
  await journal.durable()
  expect([syncs.length, journal.auditEntries(0, 10).length]).toEqual([1, 1])
  expect(await isThere(journal.durable())).toBe(true)
})

test('after a failed sync a step that waits for the disk puts what came before it there too, or fails', async () => {
  const directory = freshDirectory()
  const { db, journal, syncs } = openHeld(directory)
  journal.accept([documentOf('a', 1)])
  journal.intent(intentOf('a', 1), intentEntry('a', 1))
  const failed = journal.durable()
  await sleep(1)
  syncs[0]?.reject(new Error('EIO'))
  await expect(failed).rejects.toMatchObject({ code: 'ERR_JOURNAL_UNUSABLE' })
  // An open read keeps SQLite from writing the main file.
  const reading = db.prepare('SELECT 1 FROM requests').iterate()
  reading.next()
  expect(codeOf(() => journal.auditSettle())).toBe('ERR_JOURNAL_UNUSABLE')
  expect(codeOf(() => journal.set('highest', '1'))).toBe('ERR_JOURNAL_UNUSABLE')
  expect(journal.auditEntries(0, 10)).toEqual([])
  reading.return?.()
  journal.auditSettle()
  expect(journal.auditEntries(0, 10)).toHaveLength(1)
  // The write-ahead log, which has the hole, is left behind.
  const copy = freshDirectory()
  openJournal(copy).close()
  copyFileSync(join(directory, 'journal.sqlite'), join(copy, 'journal.sqlite'))
  expect(openJournal(copy).openIds('main')).toEqual(['a'])
})

test('a sync that ends well while another one has failed makes nothing durable', async () => {
  const { db, journal, syncs } = openHeld()
  journal.accept([documentOf('a', 1)])
  const waits = journal.durable()
  await sleep(1)
  db.exec(
    `CREATE TRIGGER full_disk BEFORE INSERT ON settings BEGIN SELECT raise(ABORT, 'disk I/O error'); END`,
  )
  expect(codeOf(() => journal.set('highest', '1'))).toBe('ERR_JOURNAL_UNUSABLE')
  syncs[0]?.resolve()
  await expect(waits).rejects.toMatchObject({ code: 'ERR_JOURNAL_UNUSABLE', retry: 'later' })
  await journal.durable()
  expect(syncs).toHaveLength(1)
})

test('what was recovered after kill -9 is not durable before a sync of its own', async () => {
  const directory = freshDirectory()
  await crashAfter(directory, 'accept')
  const { journal, syncs, isThere } = openHeld(directory)
  const recovered = journal.durable()
  await sleep(1)
  expect([journal.counts().open > 0, syncs.length, await isThere(recovered)]).toEqual([true, 1, false])
  syncs[0]?.resolve()
  await recovered
  expect(await isThere(journal.durable())).toBe(true)
})

test('it is the write-ahead log that is put on the disk', async () => {
  const directory = freshDirectory()
  const journal = openJournal(directory)
  journal.accept([documentOf('a', 1)])
  const log = join(directory, 'journal.sqlite-wal')
  renameSync(log, `${log}.aside`)
  await expect(journal.durable()).rejects.toMatchObject({ code: 'ERR_JOURNAL_UNUSABLE' })
  renameSync(`${log}.aside`, log)
  await journal.durable()
  expect(journal.counts().open).toBe(1)
})
