// writeback audit, as an operator types it, on a record that an agent's own parts have written.
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { EXPORT_FORMATS } from '../../src/agent/audit/export-formats.ts'
import { writeEnrolment } from '../../src/agent/keys/enrolment-file.ts'
import { generateKeySet } from '../../src/agent/keys/key-file.ts'
import { openKeys } from '../../src/agent/keys/open-keys.ts'
import { describeRecord } from '../../src/cli/describe-record.ts'
import { newId } from '../../src/protocol/identifiers.ts'
import { carryOut, openRecord } from '../agent/audit/recorded.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { runWords } from './run-words.ts'
import { writeSampleConfig } from './sample-config.ts'

const directory = makeScratchDirectory()
const configFile = writeSampleConfig(directory)
const agent = newId()

beforeAll(async () => {
  const { identity } = await openKeys(await generateKeySet(1))
  await writeEnrolment(directory, {
    ...{ version: 1, storeUrl: 'https://127.0.0.1:1', name: 'here' },
    enrolled: {
      ...{ agent, identity: identity.publicKey.kid, store: '5a5a0001', tenant: 'default' },
      ...{ directories: ['corp'], keys: [identity.publicKey], at: 1 },
    },
  })
  const recorded = openRecord(directory, { agent, ...identity })
  await recorded.audit.start()
  for (const request of ['first', 'second']) await carryOut(recorded, request, request.length)
  await recorded.close()
})
afterAll(() => removeScratchDirectory(directory))

const run = (...words: string[]) => runWords(['audit', ...words, '--config', configFile])
const fileName = 'audit-000000000001.jsonl'
const file = path.join(directory, 'audit', fileName)

test('show prints one line for each record, oldest first', async () => {
  const { status, out } = await run('show')
  expect(status).toBe(0)
  const lines = out.trimEnd().split('\n')
  expect(lines).toHaveLength(8)
  expect(lines[1]).toMatch(
    /^ {5}2 {2}\S+Z {2}intent {6}reset first attempt 1 {2}ada by help_desk Grace, “desk 7” on ldaps:\/\/dc1$/,
  )
  expect(lines[2]).toMatch(/ result {6}reset first attempt 1 {2}accepted$/)
  expect(lines[3]).toMatch(/ outcome {5}first {2}applied$/)
  expect(lines.at(-1)).toMatch(/ checkpoint {2}stop$/)
})

test('show takes a request and a time, and gives the very lines of the file as JSON', async () => {
  const { out } = await run('show', '--request', 'second', '--json')
  expect(readFileSync(file, 'utf8')).toContain(out)
  expect(out.trimEnd().split('\n')).toHaveLength(3)
  expect((await run('show', '--since', '1h')).out).toContain('first')
  expect((await run('show', '--since', '2999-01-01')).out).toBe('')
  expect(await run('show', '--since', 'yesterday')).toMatchObject({
    status: 2,
    err: expect.stringContaining('yesterday is no time'),
  })
})

test('verify says that the record is whole, and with JSON how much there is', async () => {
  expect(await run('verify')).toEqual({
    status: 0,
    err: '',
    out: '8 records (1 to 8) in 1 file, 2 signed checkpoints\n2 writes, 0 of them without a result yet\nthe record is whole\n',
  })
  expect(JSON.parse((await run('verify', '--json')).out)).toEqual({
    ...{ faults: [], files: 1, records: 8, checkpoints: 2, first: 1, last: 8, writes: 2, unanswered: 0 },
  })
})

test('verify ends with 1 and names file, line and fault; show leaves the line out and says so', async () => {
  const whole = readFileSync(file, 'utf8')
  writeFileSync(file, whole.replace('help_desk', 'self_desk'))
  const { status, out } = await run('verify')
  expect(status).toBe(1)
  expect(out).toContain(`${fileName}:2: the line was changed: it does not fit its own hash\n`)
  expect(out.trimEnd()).toMatch(/\n1 fault$/)
  expect((await run('show')).err).toBe('writeback: left out: 1 damaged line; see: writeback audit verify\n')
  writeFileSync(file, whole)
})

test('export as JSON gives the file as it is', async () => {
  expect((await run('export', '--format', 'json')).out).toBe(readFileSync(file, 'utf8'))
})

test('export as CSV gives one row for each record, quoted as RFC 4180 asks', async () => {
  const { out } = await run('export', '--format', 'csv')
  const rows = out.split('\r\n')
  expect(rows[0]).toMatch(/^sequence,time,kind,entry,request,/)
  expect(rows).toHaveLength(10)
  expect(rows[2]).toContain(',"Grace, “desk 7”",badge,a-1,4724,marker 1,')
})

test('export as CEF names what a security information system looks for', async () => {
  const { out } = await run('export', '--format', 'cef', '--request', 'first')
  expect(out.split('\n')[0]).toMatch(
    /^CEF:0\|writeback\|agent\|[\d.]+\|intent:reset\|A write begins\|3\|rt=\d+ externalId=first act=reset duser=ada duid=S-1-5-21-1-2-3-1105 suser=Grace, “desk 7” dhost=dc1 cs1Label=sequence cs1=2 cs2Label=hash cs2=[0-9a-f]{64} /,
  )
})

test('export writes a new file that only its owner can read, and never over another', async () => {
  const target = path.join(directory, 'october.csv')
  expect(await run('export', '--format', 'csv', '--out', target)).toEqual({ status: 0, out: '', err: '' })
  expect(statSync(target).mode & 0o777).toBe(0o600)
  expect(await run('export', '--format', 'csv', '--out', target)).toMatchObject({
    status: 2,
    err: expect.stringContaining('it must not be there yet'),
  })
})

test('without a record show fails, and verify finds that there is none', async () => {
  const kept = readFileSync(file)
  rmSync(file)
  expect(await run('show')).toMatchObject({ status: 1, err: expect.stringContaining('ERR_AUDIT_UNREADABLE') })
  expect(await run('verify')).toMatchObject({ status: 1, out: expect.stringContaining('there is no record') })
  writeFileSync(file, kept)
})

test('a name from the directory neither reaches the terminal with control characters nor becomes a formula', () => {
  const chain = {
    sequence: 1,
    time: '2026-10-11T22:14:15.003Z',
    kind: 'intent',
    entry: 1,
    previous: '',
    hash: '',
  }
  const fields = {
    account: { name: 'ada\u001b[2J\u0085\nroot\u202e' },
    actor: { kind: 'user', name: 'x', methods: ['=cmd|x', 'badge'] },
  }
  const line = { ...chain, fields }
  expect(describeRecord(line)).toContain('ada\ufffd[2J\ufffd\ufffdroot\ufffd by user x')
  expect(EXPORT_FORMATS.csv.row({ line, text: '' })).toContain(",'=cmd|x badge,")
})
