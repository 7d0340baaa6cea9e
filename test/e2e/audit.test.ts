// The audit record on real parts: what it tells of each write is what the proxy saw of it, and the commands read it.

import { spawnSync } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { laterPassword, newPassword } from '../servers/canaries.ts'
import { bareEnvironment } from '../servers/child-process.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import { isPasswordWrite } from './password-writes.ts'

const MAIN = path.resolve(import.meta.dirname, '../../src/main.ts')
let world: World
/** The new marker of every modify that reached the directory; it stands behind the old one. */
const forwarded: (string | undefined)[] = []
function markerOf(pdu: Buffer): string | undefined {
  const at = pdu.lastIndexOf('wb1:')
  // BER: the length stands before the text.
  return at < 0 ? undefined : pdu.toString('latin1', at, at + (pdu[at - 1] as number))
}
const modifiesOf = (marker: string) => forwarded.filter((one) => one === marker)

beforeAll(async () => {
  world = await startWorld({
    domain: { policy: { minPasswordAgeMs: 0 } },
    directorySettings: '    operationTimeoutSeconds: 1.5',
    watch: () => ({
      onForwarded: ({ operation }, pdu) => {
        if (operation === 'modify') forwarded.push(markerOf(pdu))
      },
    }),
  })
}, 90_000)
afterAll(() => world?.stop())

function writeback(...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', MAIN, 'audit', ...words, '--config', world.agentConfigFile],
    { env: bareEnvironment(), encoding: 'utf8' },
  )
  return { status, stdout, stderr }
}
const auditFile = () => {
  const directory = path.join(world.directory, 'state', 'audit')
  return path.join(directory, readdirSync(directory).find((name) => name.endsWith('.jsonl')) as string)
}
const recordsOf = (request: string) =>
  readFileSync(auditFile(), 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"request":"${request}"`))
    .map((line) => JSON.parse(line))
/** The outcome is told beside its report, not before it. */
async function settled(request: string) {
  for (let tries = 0; tries < 100; tries += 1) {
    const records = recordsOf(request)
    if (records.some(({ kind }) => kind === 'outcome')) return records
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the outcome is not told')
}

async function carriedOut(user: WorldUser, operation: 'reset' | 'change' | 'unlock', passwords: Buffer[]) {
  const request = await world.request(operation, user, { passwords })
  const verdict = await world.verdict(request)
  return { request, verdict, records: await settled(request) }
}

test('a reset, a change and an unlock leave one intent, one result and one outcome each, and the proxy saw that very write', async () => {
  const user = await world.createUser({ name: 'told' })
  const from = Date.now()
  const all = [
    await carriedOut(user, 'reset', [newPassword()]),
    await carriedOut(user, 'change', [newPassword(), laterPassword()]),
    await carriedOut(user, 'unlock', []),
  ]
  for (const { request, verdict, records } of all) {
    expect([request, verdict.outcome, records.map(({ kind }) => kind)]).toEqual([
      ...[request, 'applied'],
      ['intent', 'result', 'outcome'],
    ])
    const [intent, result, outcome] = records
    expect(modifiesOf(intent.marker)).toHaveLength(1)
    expect(result).toMatchObject({ answer: 'accepted', marker: intent.marker, attempt: 1 })
    expect(outcome).toMatchObject({ outcome: 'applied', server: intent.server })
    expect(intent).toMatchObject({
      account: { anchor: user.anchor, objectGuid: user.anchor, name: user.accountName },
      url: world.proxy?.url,
    })
    expect(intent.account.sid).toMatch(/^S-1-5-21-/)
    expect(Math.abs(Date.parse(intent.directoryTime) - from)).toBeLessThan(30_000)
  }
  expect(all.map(({ records }) => [records[0].action, records[0].events])).toEqual([
    ['reset', [4724]],
    ['change', [4723]],
    ['unlock', [4767]],
  ])
}, 60_000)

test('a lost answer is told as lost, and so is the fence that settled it', async () => {
  const user = await world.createUser({ name: 'lost' })
  world.proxy?.onRequest(isPasswordWrite, { kind: 'swallow-request' })
  const { verdict, records } = await carriedOut(user, 'reset', [newPassword()])
  expect(verdict.outcome).toBe('applied')
  expect(records.map(({ kind, action, answer }) => [kind, action, answer])).toEqual([
    ['intent', 'reset', undefined],
    ['result', 'reset', 'lost'],
    ['intent', 'fence', undefined],
    ['result', 'fence', 'accepted'],
    ['intent', 'reset', undefined],
    ['result', 'reset', 'accepted'],
    ['outcome', undefined, undefined],
  ])
}, 60_000)

test('an agent that was killed in the middle of a write tells that write once', async () => {
  const user = await world.createUser({ name: 'killed' })
  const held = world.proxy?.onRequest(isPasswordWrite, { kind: 'swallow-response' })
  const request = await world.ask(user, newPassword())
  await held?.hit
  await world.agent.kill()
  await world.agent.start()
  expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
  const records = await settled(request)
  expect(records.map(({ kind, answer }) => [kind, answer])).toEqual([
    ['intent', undefined],
    ['result', 'unanswered'],
    ['outcome', undefined],
  ])
  expect(modifiesOf(records[0].marker)).toHaveLength(1)
}, 60_000)

test('show gives the records of one request, from a running agent', async () => {
  const [, result] = readFileSync(auditFile(), 'utf8').trimEnd().split('\n').slice(1)
  const { request } = JSON.parse(result as string)
  expect(writeback('show', '--request', request, '--json').stdout.trimEnd().split('\n')).toHaveLength(3)
})

test('every modify that reached the directory has its intent, and no intent is told twice', () => {
  const records = writeback('export', '--format', 'json')
    .stdout.trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const markers = records.filter(({ kind }) => kind === 'intent').map(({ marker }) => marker)
  expect(new Set(markers).size).toBe(markers.length)
  expect(forwarded.filter((marker) => !markers.includes(marker))).toEqual([])
  expect(new Set(forwarded).size).toBe(forwarded.length)
  expect(forwarded.length).toBeGreaterThan(5)
})

test('the record of a running agent is whole, and of one that has ended, too', async () => {
  expect(writeback('verify')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/ writes?, 0 of them without a result yet\nthe record is whole\n$/),
  })
  await world.agent.stop()
  expect(writeback('verify', '--json')).toMatchObject({ status: 0, stderr: '' })
})

test('a change of the record ends verify with 1 and names file, line and fault', async () => {
  const file = auditFile()
  const before = readFileSync(file).length
  appendFileSync(file, '{"sequence":')
  expect(writeback('verify')).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(
      new RegExp(`^${path.basename(file)}:\\d+: the line is not finished: a crash or somebody cut it off\n`),
    ),
  })
  truncateSync(file, before)
  expect(writeback('verify').status).toBe(0)
})
