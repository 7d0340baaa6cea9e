// The private keys on disk and in use.
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { keepSealingKeys } from '../../src/agent/keep-sealing-keys.ts'
import { readEnrolment } from '../../src/agent/keys/enrolment-file.ts'
import { generateKeySet, readKeyFile, writeKeyFile } from '../../src/agent/keys/key-file.ts'
import { openKeys } from '../../src/agent/keys/open-keys.ts'
import { viewKeys } from '../../src/agent/view-keys.ts'
import { makePrivateDirectory, writePrivateFile } from '../../src/config/private-file.ts'
import { createConditions } from '../../src/telemetry/conditions.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { createManualClock } from '../fakes/manual-clock.ts'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'
import { makeParties, resetOf, sealFor } from './sample-requests.ts'

let state = ''
beforeEach(() => {
  state = makeScratchDirectory()
})
afterEach(() => rmSync(state, { recursive: true, force: true }))
const file = () => join(state, 'keys.json')
const codeOf = (step: Promise<unknown>) =>
  step.then(
    () => 'ok',
    (error) => error.code,
  )

test('keys come back as they were written, in a file only its owner can read', async () => {
  const keys = await generateKeySet(42)
  expect(await readKeyFile(state, undefined)).toBeUndefined()
  await writeKeyFile(state, keys, undefined)
  expect(await readKeyFile(state, undefined)).toEqual(keys)
  expect(statSync(file()).mode & 0o777).toBe(0o600)
  const directory = join(state, 'made', 'deep')
  await makePrivateDirectory(directory, 'ERR_KEYS_UNUSABLE')
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  chmodSync(file(), 0o644)
  await writeKeyFile(state, keys, undefined)
  expect(statSync(file()).mode & 0o777).toBe(0o600)
})

test('a locked file opens with its passphrase only, and shows no key', async () => {
  const keys = await generateKeySet(42)
  const passphrase = Buffer.from('a long passphrase')
  await writeKeyFile(state, keys, passphrase)
  expect(await readKeyFile(state, passphrase)).toEqual(keys)
  const text = readFileSync(file(), 'utf8')
  for (const key of [keys.identity, ...keys.sealing.map(({ key: sealing }) => sealing)])
    expect(text).not.toContain(key.d)
  expect(await codeOf(readKeyFile(state, Buffer.from('a wrong passphrase')))).toBe('ERR_KEYS_PASSPHRASE')
  expect(await codeOf(readKeyFile(state, undefined))).toBe('ERR_KEYS_PASSPHRASE')
  const damaged = JSON.parse(text)
  damaged.locked.ciphertext = `AAAA${damaged.locked.ciphertext.slice(4)}`
  writeFileSync(file(), JSON.stringify(damaged))
  expect(await codeOf(readKeyFile(state, passphrase))).toBe('ERR_KEYS_PASSPHRASE')
  damaged.locked.tag = 'AAAA'
  writeFileSync(file(), JSON.stringify(damaged))
  expect(await codeOf(readKeyFile(state, passphrase))).toBe('ERR_KEYS_PASSPHRASE')
})

test('keys that could not be read again are not written', async () => {
  const keys = await generateKeySet(42)
  await writeKeyFile(state, keys, undefined)
  const [first] = keys.sealing
  const many = first ? Array.from({ length: 17 }, () => first) : []
  expect(await codeOf(writeKeyFile(state, { ...keys, sealing: many }, undefined))).toBe('ERR_KEYS_UNUSABLE')
  expect(await readKeyFile(state, undefined)).toEqual(keys)
})

test('the first key counts as accepted by the enrolment, for its state and for its age', async () => {
  const keys = await openKeys(await generateKeySet(0))
  const config = { keys: { rotateDays: 28 }, stateDirectory: state }
  const enrolled = { at: 0, keys: [] }
  expect(viewKeys({ keys, config, enrolled } as never)).toContainEqual(
    expect.objectContaining({ kind: 'sealing', state: 'current' }),
  )
  const clock = createManualClock(100 * 86_400_000)
  const conditions = createConditions({ clock, log: silentLogger })
  const nowMs = clock.wallMs
  const keeper = keepSealingKeys({
    ...{ keys, config, clock, conditions, log: silentLogger, stopping: new AbortController() },
    storeTime: { nowMs, isUncertain: () => false, isSkewed: () => false },
    client: { publishSealingKeys: () => Promise.reject(new Error('no such call')) },
  } as never)
  await expect(keeper.tend()).rejects.toThrow('no such call')
  expect(conditions.list()).toMatchObject([
    { code: 'sealing_key_old', detail: expect.stringContaining('100 days') },
  ])
})

test('a damaged or foreign file is ERR_KEYS_UNUSABLE, and the message quotes nothing', async () => {
  const keys = await generateKeySet(42)
  await writeKeyFile(state, keys, undefined)
  const text = readFileSync(file(), 'utf8')
  const other = { ...JSON.parse(text), version: 2 }
  for (const content of [
    '',
    text.slice(0, 200),
    'null',
    '{}',
    JSON.stringify(other),
    text.replace('P-256', 'P-384'),
  ]) {
    writeFileSync(file(), content)
    const failure = await readKeyFile(state, undefined).catch((error) => error)
    expect([failure.code, failure.cause]).toEqual(['ERR_KEYS_UNUSABLE', undefined])
    expect(failure.message).not.toContain(keys.identity.d)
  }
})

test.each([0o640, 0o604, 0o620, 0o644])('a file of mode %o is refused [key_file_readable]', async (mode) => {
  await writeKeyFile(state, await generateKeySet(1), undefined)
  chmodSync(file(), mode)
  expect(await codeOf(readKeyFile(state, undefined))).toBe('ERR_KEYS_UNUSABLE')
})

test('a path that is no file is ERR_KEYS_UNUSABLE, also for the enrolment', async () => {
  mkdirSync(file(), { mode: 0o700 })
  expect(await codeOf(readKeyFile(state, undefined))).toBe('ERR_KEYS_UNUSABLE')
  expect(await codeOf(writeKeyFile(state, await generateKeySet(1), undefined))).toBe('ERR_KEYS_UNUSABLE')
  expect(await readEnrolment(state)).toBeUndefined()
  writeFileSync(join(state, 'enrolment.json'), '{"version":1}', { mode: 0o600 })
  expect(await codeOf(readEnrolment(state))).toBe('ERR_KEYS_UNUSABLE')
  expect(await codeOf(makePrivateDirectory('/dev/null/x', 'ERR_KEYS_UNUSABLE'))).toBe('ERR_KEYS_UNUSABLE')
})

test('what a crash left half written is neither read nor in the way', async () => {
  const [old, renewed] = [await generateKeySet(1), await generateKeySet(2)]
  await writeKeyFile(state, old, undefined)
  writeFileSync(`${file()}.new`, '{"version":1,"prot', { mode: 0o644 })
  expect(await readKeyFile(state, undefined)).toEqual(old)
  await writeKeyFile(state, renewed, undefined)
  expect(await readKeyFile(state, undefined)).toEqual(renewed)
  expect(statSync(file()).mode & 0o777).toBe(0o600)
  rmSync(file())
  mkdirSync(`${file()}.new`)
  expect(await codeOf(writePrivateFile(file(), 'x'))).toBe('ERR_KEYS_UNUSABLE')
})

test('an opened password is wiped when its use ends, also when it throws', async () => {
  const parties = await makeParties()
  const document = await resetOf(parties, { nowMs: 1_790_000_000_000, password: 'Correct-Horse-7' })
  const { id: requestId, operation, subject, directory, expiresAt } = document
  const expected = { requestId, operation, anchor: subject.anchor, directory, expiresAt }
  const kept: Buffer[] = []
  const use = async ([password]: readonly Buffer[]) => {
    if (password) kept.push(password)
    return String(password)
  }
  expect(await parties.keys.withOpened(document.sealed, expected, use)).toBe('Correct-Horse-7')
  const failing = parties.keys.withOpened(document.sealed, expected, async (passwords) => {
    await use(passwords)
    throw new Error('in the middle')
  })
  await expect(failing).rejects.toThrow('in the middle')
  expect(kept.map((bytes) => bytes.every((byte) => byte === 0))).toEqual([true, true])
  expect(kept.every((bytes) => new Uint8Array(bytes.buffer).every((byte) => byte === 0))).toBe(true)
  for (const change of [
    { requestId: 'x' },
    { anchor: 'x' },
    { directory: 'x' },
    { expiresAt: 1 },
    { operation: 'change' as const },
  ])
    expect(await codeOf(parties.keys.withOpened(document.sealed, { ...expected, ...change }, use))).toBe(
      'ERR_SEALED_INVALID',
    )
})

test('every kept sealing key opens, and no other', async () => {
  const [older, newer, stranger] = [await makeParties(), await generateKeySet(2), await makeParties()]
  const document = await resetOf(older, { nowMs: 1_790_000_000_000 })
  const { id: requestId, operation, subject, directory, expiresAt } = document
  const expected = { requestId, operation, anchor: subject.anchor, directory, expiresAt }
  const foreign = await sealFor(stranger, document, 'x')
  const keys = await openKeys(newer)
  expect(await codeOf(keys.withOpened(document.sealed, expected, async () => 1))).toBe('ERR_SEALED_INVALID')
  expect(await codeOf(older.keys.withOpened(foreign, expected, async () => 1))).toBe('ERR_SEALED_INVALID')
  const both = { ...document.sealed, recipients: [...foreign.recipients, ...document.sealed.recipients] }
  expect(await older.keys.withOpened(both, expected, async ([password]) => String(password))).toBe(
    'Correct-Horse-7',
  )
  expect(keys.sealingKeys.map(({ createdAt }) => createdAt)).toEqual([2])
  expect(JSON.stringify(keys)).not.toContain('"d"')
})
