// The audit record on real files: its chain, its rotation, crashes, full disks, and what a check of it finds.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from '@jest/globals'
import { closeLine, readLine } from '../../../src/agent/audit/audit-line.ts'
import { verifyAudit } from '../../../src/agent/audit/verify-audit.ts'
import { generateKeySet } from '../../../src/agent/keys/key-file.ts'
import { openKeys } from '../../../src/agent/keys/open-keys.ts'
import { newId } from '../../../src/protocol/identifiers.ts'
import { createManualClock } from '../../fakes/manual-clock.ts'
import { bareEnvironment } from '../../servers/child-process.ts'
import { makeScratchDirectory } from '../../servers/scratch-directory.ts'
import { answer, begin, carryOut, openRecord, type Recorded, type RecordWish } from './recorded.ts'

const CHILD = path.resolve(import.meta.dirname, 'appending-child.ts')
const agent = newId()
const keySet = await generateKeySet(1)
const keys = await openKeys(keySet)
const signer = { agent, ...keys.identity }
const thumbprint = keys.identity.publicKey.kid
const cleanUp: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step()
})

function freshState(): string {
  const state = makeScratchDirectory()
  cleanUp.push(() => rmSync(state, { recursive: true, force: true }))
  return state
}

async function open(state: string, wish: RecordWish = {}): Promise<Recorded> {
  const recorded = openRecord(state, signer, wish)
  cleanUp.push(() => recorded.close().catch(() => {}))
  await recorded.audit.start()
  return recorded
}

const auditOf = (state: string) => path.join(state, 'audit')
const filesOf = (state: string) =>
  readdirSync(auditOf(state))
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => path.join(auditOf(state), name))
const linesOf = (state: string) =>
  filesOf(state).flatMap((file) => readFileSync(file, 'utf8').trimEnd().split('\n'))
const recordsOf = (state: string) => linesOf(state).map((line) => JSON.parse(line))
const verify = (state: string) => verifyAudit(auditOf(state), thumbprint)
const faultsOf = async (state: string) => (await verify(state)).faults

/** A record of so many requests, closed in order. */
async function finished(requests: number, wish: RecordWish = {}): Promise<string> {
  const state = freshState()
  const recorded = await open(state, wish)
  for (let at = 0; at < requests; at += 1) await carryOut(recorded, `r${at}`, at + 1)
  await recorded.close()
  return state
}

/** Every request has one intent, one result and one outcome, in this order. */
function expectOnce(records: readonly Record<string, unknown>[], requests: readonly string[]): void {
  const told = Map.groupBy(
    records.filter(({ kind }) => kind !== 'checkpoint'),
    ({ request }) => request as string,
  )
  for (const request of requests)
    expect([request, told.get(request)?.map(({ kind }) => kind)]).toEqual([
      request,
      ['intent', 'result', 'outcome'],
    ])
}

test('each write has one intent and one result, each request one outcome, and the whole is a signed chain', async () => {
  const state = await finished(3)
  expectOnce(recordsOf(state), ['r0', 'r1', 'r2'])
  expect(await verify(state)).toMatchObject({ faults: [], files: 1, first: 1, writes: 3, unanswered: 0 })
  expect(recordsOf(state)[1]).toMatchObject({
    ...{ kind: 'intent', request: 'r0', attempt: 1, events: [4724], actor: { kind: 'help_desk' } },
    account: { sid: 'S-1-5-21-1-2-3-1105', name: 'ada' },
  })
  expect(statSync(filesOf(state)[0] as string).mode & 0o777).toBe(0o600)
  expect(statSync(auditOf(state)).mode & 0o777).toBe(0o700)
})

test('an intent stands on the disk before its write may begin', async () => {
  const state = freshState()
  const recorded = await open(state)
  expect(await begin(recorded, 'a', 1)).toBe(true)
  expect(recordsOf(state).map(({ kind }) => kind)).toEqual(['checkpoint', 'intent'])
})

test('intents that come together are kept by one sync', async () => {
  const state = freshState()
  const recorded = await open(state)
  const begun = Array.from({ length: 20 }, (_, at) => begin(recorded, `r${at}`, at + 1))
  expect(await Promise.all(begun)).toEqual(begun.map(() => true))
  expect(recorded.batches.map((lines) => lines.length)).toEqual([1, 20])
  expect(recordsOf(state).filter(({ kind }) => kind === 'intent')).toHaveLength(20)
})

const CHANGES = process.env['WRITEBACK_FULL'] === '1' ? 1_000 : 400

test(`every one of ${CHANGES} random changes of one byte is found`, async () => {
  const state = await finished(5, { keeping: { fileBytes: 3_000 } })
  expect(await faultsOf(state)).toEqual([])
  const files = [...filesOf(state), path.join(auditOf(state), 'head.json')]
  expect(files.length).toBeGreaterThan(3)
  const all = files.map((file) => ({ file, bytes: readFileSync(file) }))
  const total = all.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const missed: string[] = []
  for (let round = 0; round < CHANGES; round += 1) {
    let at = Math.floor(Math.random() * total)
    const hit = all.find(({ bytes }) => {
      if (at < bytes.length) return true
      at -= bytes.length
      return false
    }) as (typeof all)[number]
    const changed = Buffer.from(hit.bytes)
    changed[at] = (changed[at] as number) ^ (1 + Math.floor(Math.random() * 255))
    writeFileSync(hit.file, changed)
    const name = path.basename(hit.file)
    const faults = await faultsOf(state)
    if (!faults.some(({ file }) => file === name)) missed.push(`${name} ${at}`)
    writeFileSync(hit.file, hit.bytes)
  }
  expect(missed).toEqual([])
  expect(await faultsOf(state)).toEqual([])
}, 120_000)

test.each<[string, (lines: string[]) => string[], string]>([
  ['a removed line', (lines) => lines.toSpliced(3, 1), 'record 4 is missing here'],
  ['removed lines', (lines) => lines.toSpliced(3, 2), 'records 4 to 5 are missing here'],
  ['a line told twice', (lines) => lines.toSpliced(3, 0, lines[2] as string), 'the order was changed'],
  [
    'two lines in each other’s place',
    (lines) => lines.with(3, lines[4] as string).with(4, lines[3] as string),
    'record 4 stands behind record 5: the order was changed',
  ],
  ['the last line cut off', (lines) => lines.slice(0, -1), 'records 11 to 11 are missing at the end'],
  ['a line without its hash', (lines) => lines.with(3, '{}'), 'it does not fit its own hash'],
])('%s is found', async (_what, change, expected) => {
  const state = await finished(3)
  const [file] = filesOf(state) as [string]
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  expect(lines).toHaveLength(11)
  writeFileSync(file, `${change(lines).join('\n')}\n`)
  expect((await faultsOf(state)).map(({ what }) => what).join('; ')).toContain(expected)
})

test('a file in the middle that is gone is found, and one at the beginning, too', async () => {
  const state = await finished(12, { keeping: { fileBytes: 4_000 } })
  const files = filesOf(state)
  for (const gone of [files[1], files[0], files.at(-1)] as string[]) {
    copyFileSync(gone, `${gone}.kept`)
    rmSync(gone)
    expect(await faultsOf(state)).toHaveLength(1)
    cpSync(`${gone}.kept`, gone)
  }
  expect(await faultsOf(state)).toEqual([])
})

test('a forged chain is found: its checkpoints are not signed by the agent', async () => {
  const state = await finished(2)
  const forger = await openKeys(await generateKeySet(1))
  const forged = freshState()
  const recorded = openRecord(forged, { agent, ...forger.identity })
  await recorded.audit.start()
  await carryOut(recorded, 'forged', 1)
  await recorded.close()
  const faults = (await verify(forged)).faults.map(({ what }) => what)
  expect(faults).toContain('the checkpoint is not signed by the agent’s identity key')
  expect(faults).toContain('the head was changed, or another key signed it')
  expect(await faultsOf(state)).toEqual([])
})

/** Lines as somebody without a key closes them: each with its hash, and the hash of the line before. */
function rechain(lines: readonly string[], change: (line: string, at: number) => string): string[] {
  let previous: string | undefined
  return lines.map((line, at) => {
    const open = change(line, at).replace(/,"hash":"[0-9a-f]{64}"\}$/, '')
    const linked =
      previous === undefined ? open : open.replace(/"previous":"[0-9a-f]{64}"/, `"previous":"${previous}"`)
    const closed = closeLine(linked)
    previous = closed.hash
    return closed.line.trimEnd()
  })
}

test.each(['behind the signature', 'twice'])(
  'a removal that was written into a signed checkpoint without the key is found (%s)',
  async (where) => {
    const state = freshState()
    const recorded = await open(state, { keeping: { fileBytes: 4_000 } })
    await carryOut(recorded, 'early', 1)
    await recorded.audit.housekeep()
    await sleep(300)
    const early = readFileSync(path.join(auditOf(state), 'head.json'))
    for (let at = 0; at < 12; at += 1) await carryOut(recorded, `r${at}`, at + 2)
    await recorded.close()
    const files = filesOf(state)
    const last = files.at(-1) as string
    const lines = readFileSync(last, 'utf8').trimEnd().split('\n')
    const first = readLine(Buffer.from(lines[0] as string))
    for (const file of files.slice(0, -1)) rmSync(file)
    const { sequence = 0, previous } = first ?? {}
    const removal = `"removed":${JSON.stringify({ files: [], through: sequence - 1, hash: previous })}`
    const forged = rechain(lines, (line, at) => {
      if (at !== lines.length - 1) return line
      return where === 'twice'
        ? line.replace(/("signature":"[^"]+")/, `$1,${removal},$1`)
        : line.replace(/("signature":"[^"]+")/, `$1,${removal}`)
    })
    writeFileSync(last, `${forged.join('\n')}\n`)
    writeFileSync(path.join(auditOf(state), 'head.json'), early)
    const faults = (await faultsOf(state)).map(({ what }) => what)
    expect(faults).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^records 1 to \d+ are missing, and no signed statement says/),
        'the head is older than the first record: an earlier one was put in its place',
      ]),
    )
  },
)

test.each([
  ['a changed line', (lines: string[]) => rechain(lines, (line) => line.replace('Grace', 'Linus')), 7],
  [
    'an added line',
    (lines: string[]) => {
      const last = lines.at(-1) as string
      const added = last
        .replace('"sequence":7,', '"sequence":8,')
        .replace('"entry":6', '"entry":7')
        .replace(/"previous":"[0-9a-f]+"/, `"previous":"${readLine(Buffer.from(last))?.hash}"`)
      return [...lines, ...rechain([added], (line) => line)]
    },
    8,
  ],
])('%s behind the last signature is found at the next start, and for ever', async (_what, forge, record) => {
  const state = await finished(2)
  const [file] = filesOf(state) as [string]
  // As it is after a crash before the next signature.
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(0, 7)
  writeFileSync(file, `${forge(lines).join('\n')}\n`)
  rmSync(path.join(auditOf(state), 'head.json'))
  const again = await open(state)
  expect(again.conditions.list()).toMatchObject([{ code: 'audit_changed' }])
  await again.close()
  const faults = (await faultsOf(state)).map(({ what }) => what)
  expect(faults).toEqual([
    'the agent found the head missing at its start',
    `the agent found at its start that record ${record} is not as it wrote it`,
  ])
})

test.each(['moved', 'deleted', 'replaced'])(
  'a file that was %s under the running agent stops writes, and the record goes on in a new one that says so',
  async (how) => {
    const state = freshState()
    const recorded = await open(state)
    await carryOut(recorded, 'a', 1)
    await recorded.audit.housekeep()
    const [file] = filesOf(state) as [string]
    const kept = `${file}.kept`
    copyFileSync(file, kept)
    rmSync(file)
    if (how === 'replaced') copyFileSync(kept, file)
    await recorded.audit.housekeep()
    expect(recorded.audit.isWritable()).toBe(false)
    const codes = () => recorded.conditions.list().map(({ code }) => code)
    expect(codes()).toEqual(['audit_not_writable', 'audit_changed'])
    for (let tries = 0; tries < 200 && !recorded.audit.isWritable(); tries += 1) await sleep(20)
    expect(codes()).toEqual(['audit_changed'])
    await carryOut(recorded, 'b', 2)
    await recorded.audit.housekeep()
    await recorded.close()
    expectOnce(recordsOf(state), ['b'])
    if (how === 'moved') copyFileSync(kept, file)
    const said = `the agent found that ${path.basename(file)} was moved or deleted while it wrote it`
    const faults = (await faultsOf(state)).map(({ what }) => what)
    if (how === 'deleted')
      expect(faults).toContainEqual(expect.stringMatching(/^records 1 to \d+ are missing/))
    else expect(faults).toEqual([said])
    expect(faults).toContain(said)
  },
)

test('a record without any file is no record', async () => {
  expect((await faultsOf(freshState())).map(({ what }) => what)).toContain('there is no record')
})

test('a new file begins with a signed checkpoint that names the last line of the old one', async () => {
  const state = await finished(12, { keeping: { fileBytes: 4_000 } })
  const files = filesOf(state)
  expect(files.length).toBeGreaterThan(2)
  const linesIn = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n')
  for (const [index, file] of files.entries()) {
    const first = readLine(Buffer.from(linesIn(file)[0] as string))
    const before = files[index - 1]
    if (before === undefined) continue
    expect(first).toMatchObject({ kind: 'checkpoint', fields: { reason: 'rotation' } })
    expect(first?.previous).toBe(readLine(Buffer.from(linesIn(before).at(-1) as string))?.hash)
  }
})

test('a file that is old enough is followed by a new one', async () => {
  const clock = createManualClock(1_790_000_000_000)
  const state = freshState()
  const recorded = await open(state, { clock, keeping: { fileMs: 1_000 } })
  await carryOut(recorded, 'a', 1)
  clock.pass(2_000)
  await carryOut(recorded, 'b', 2)
  expect(filesOf(state)).toHaveLength(2)
})

test('what is kept no longer is removed behind a signed statement, and the rest still verifies', async () => {
  const state = freshState()
  const recorded = await open(state, { keeping: { fileBytes: 4_000, keepBytes: 12_000 } })
  for (let at = 0; at < 20; at += 1) await carryOut(recorded, `r${at}`, at + 1)
  await recorded.audit.housekeep()
  expect(filesOf(state)).toHaveLength(2)
  expect(filesOf(state).reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThan(12_000)
  for (let at = 20; at < 40; at += 1) await carryOut(recorded, `r${at}`, at + 1)
  await recorded.audit.housekeep()
  await recorded.close()
  const verdict = await verify(state)
  expect(verdict.faults).toEqual([])
  expect(verdict.first).toBeGreaterThan(20)
  expect(recordsOf(state).find(({ removed }) => removed)?.removed).toMatchObject({
    through: verdict.first - 1,
  })
})

test('many small files are kept as long as there is room for their bytes', async () => {
  const clock = createManualClock(1_790_000_000_000)
  const state = freshState()
  const recorded = await open(state, {
    clock,
    keeping: { fileMs: 1_000, fileBytes: 20_000, keepBytes: 60_000 },
  })
  for (let at = 0; at < 10; at += 1) {
    await carryOut(recorded, `r${at}`, at + 1)
    clock.pass(2_000)
  }
  await recorded.audit.housekeep()
  expect(filesOf(state)).toHaveLength(10)
})

test('a host whose clock was set far ahead removes nothing until another clock confirms it', async () => {
  const clock = createManualClock(1_790_000_000_000)
  const state = freshState()
  let confirmed: number | undefined
  const recorded = await open(state, { clock, confirmedNowMs: () => confirmed, keeping: { fileMs: 1_000 } })
  await carryOut(recorded, 'a', 1)
  clock.pass(4_000 * 86_400_000)
  await carryOut(recorded, 'b', 2)
  await carryOut(recorded, 'c', 3)
  clock.pass(4_000 * 86_400_000)
  await carryOut(recorded, 'd', 4)
  const files = filesOf(state)
  expect(files.length).toBeGreaterThan(2)
  await recorded.audit.housekeep()
  expect(filesOf(state)).toEqual(files)
  confirmed = 1_790_000_000_000
  await recorded.audit.housekeep()
  expect(filesOf(state)).toEqual(files)
  confirmed = clock.wallMs()
  await recorded.audit.housekeep()
  expect(filesOf(state).length).toBeLessThan(files.length)
})

test('a removal that nobody stated is found', async () => {
  const state = await finished(12, { keeping: { fileBytes: 4_000 } })
  rmSync(filesOf(state)[0] as string)
  const [fault] = await faultsOf(state)
  expect(fault?.what).toMatch(/^records 1 to \d+ are missing, and no signed statement says/)
})

test('a line that a crash left unfinished is found, cut at the next start, and the cut is told', async () => {
  const state = await finished(2)
  const [file] = filesOf(state) as [string]
  appendFileSync(file, '{"sequence":99,"time":"20')
  expect((await faultsOf(state)).map(({ what }) => what)).toEqual([
    'the line is not finished: a crash or somebody cut it off',
  ])
  await (await open(state)).close()
  expect(await faultsOf(state)).toEqual([])
  expect(recordsOf(state).find(({ cut }) => cut)).toMatchObject({
    ...{ kind: 'checkpoint', reason: 'start' },
    cut: { file: path.basename(file), bytes: 25 },
  })
})

test('lines that were cut off while the agent stood are missed at its next start, and for ever found', async () => {
  const state = await finished(2)
  const [file] = filesOf(state) as [string]
  const text = readFileSync(file, 'utf8').trimEnd().split('\n').slice(0, -2).join('\n')
  writeFileSync(file, `${text}\n`)
  await (await open(state)).close()
  const faults = (await faultsOf(state)).map(({ what }) => what)
  expect(faults).toEqual(
    expect.arrayContaining([expect.stringMatching(/^the agent missed records \d+ to \d+ at its start/)]),
  )
})

test('a record that lies behind its journal says so, also without its head', async () => {
  const state = await finished(2)
  const [file] = filesOf(state) as [string]
  truncateSync(file, 0)
  rmSync(path.join(auditOf(state), 'head.json'))
  await (await open(state)).close()
  const faults = (await faultsOf(state)).map(({ what }) => what)
  expect(faults).toContain('the agent missed entries behind 0 up to 6 at its start')
})

test('a damaged end is left for whoever looks into it, and the record goes on in a new file', async () => {
  const state = await finished(2)
  const [file] = filesOf(state) as [string]
  const bytes = readFileSync(file)
  bytes[bytes.length - 10] = (bytes[bytes.length - 10] as number) ^ 1
  writeFileSync(file, bytes)
  const recorded = await open(state)
  await carryOut(recorded, 'later', 9)
  await recorded.close()
  expect(filesOf(state)).toHaveLength(2)
  const faults = (await faultsOf(state)).map(({ what }) => what)
  expect(faults).toContain(`the agent found 1 damaged lines in ${path.basename(file)}`)
  expectOnce(recordsOf(state), ['later'])
})

test('what the journal knows and the record not yet is told at the next start, once', async () => {
  const state = freshState()
  const recorded = await open(state)
  await begin(recorded, 'a', 1)
  await begin(recorded, 'b', 2)
  answer(recorded.journal, 'b')
  // Nothing more is taken over: the process ends here.
  await recorded.audit.stop()
  const { journal } = recorded
  journal.outcome({ requestId: 'b', outcome: 'applied', bytes: 'signed', atMs: 1 })
  journal.close()
  for (let start = 0; start < 2; start += 1) await (await open(state)).close()
  const records = recordsOf(state)
  expect(records.filter(({ kind, request }) => kind === 'result' && request === 'a')).toMatchObject([
    { answer: 'unanswered' },
  ])
  expect(records.filter(({ kind, request }) => kind === 'result' && request === 'b')).toMatchObject([
    { answer: 'accepted' },
  ])
  expect(await verify(state)).toMatchObject({ faults: [], writes: 2, unanswered: 0 })
})

test('entries of a journal that was set back are not taken for told ones', async () => {
  const state = freshState()
  const recorded = await open(state)
  await carryOut(recorded, 'a', 1)
  await recorded.close()
  for (const name of readdirSync(state)) if (name.startsWith('journal')) rmSync(path.join(state, name))
  const again = await open(state)
  await carryOut(again, 'b', 1)
  await again.close()
  expectOnce(recordsOf(state), ['a', 'b'])
  expect(await faultsOf(state)).toEqual([])
})

test('killed in the middle of appending, again and again, the record verifies and tells every write once', async () => {
  const state = freshState()
  const keyFile = path.join(state, 'key.json')
  writeFileSync(keyFile, JSON.stringify({ agent, keys: keySet }))
  const sent = new Set<string>()
  const ended = new Set<string>()
  for (let round = 0; round < 6; round += 1) {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', CHILD, state, keyFile, String(round)],
      { env: bareEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] },
    )
    cleanUp.push(() => void child.kill('SIGKILL'))
    let output = ''
    child.stdout.on('data', (part) => {
      output += part
    })
    await once(child.stdout, 'data')
    await sleep(60 + Math.random() * 200)
    child.kill('SIGKILL')
    await once(child, 'close')
    for (const line of output.split('\n').slice(0, -1)) {
      const [what, request = ''] = line.split(' ')
      ;(what === 'sent' ? sent : ended).add(request)
    }
  }
  await (await open(state)).close()
  expect(await verify(state)).toMatchObject({ faults: [], unanswered: 0 })
  const records = recordsOf(state)
  expect(ended.size).toBeGreaterThan(20)
  expectOnce(records, [...ended])
  for (const kind of ['intent', 'result']) {
    const told = records.filter((record) => record.kind === kind).map(({ request }) => request)
    expect(new Set(told).size).toBe(told.length)
    expect([...sent].filter((request) => !told.includes(request))).toEqual([])
  }
}, 120_000)
