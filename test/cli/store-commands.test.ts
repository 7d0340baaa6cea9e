// The store's commands against a real store, as an administrator types them.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { describeDuration } from '../../src/cli/describe-policy.ts'
import type { Io } from '../../src/cli/io.ts'
import { createLineEditor } from '../../src/cli/line-editor.ts'
import { runProgram } from '../../src/cli/run-program.ts'
import { makeTemporaryPassword } from '../../src/cli/temporary-password.ts'
import type { Outcome } from '../../src/protocol/outcome.ts'
import type { RequestDocument } from '../../src/protocol/request-document.ts'
import { openSqliteRepository } from '../../src/reset-store/database/sqlite-repository.ts'
import { startStore } from '../reset-store/running-store.ts'
import { accountOf, enrolAgent, POLICY, type TestAgent } from '../reset-store/test-agent.ts'
import { bareEnvironment, runCommand } from '../servers/child-process.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { testCa } from '../servers/test-ca.ts'

const directory = makeScratchDirectory()
const data = path.join(directory, 'data')
const configFile = path.join(directory, 'store.yaml')
const ANCHOR = 'aaaaaaaa-0000-4000-8000-000000000001'
let store: Awaited<ReturnType<typeof startStore>>
let agent: TestAgent

beforeAll(async () => {
  store = await startStore(data, { probes: [{ user: 'prober', everyMs: 3_600_000 }] })
  agent = await enrolAgent(store)
  const { caFile, server } = await testCa()
  const lines = [
    `publicUrl: https://127.0.0.1:${store.port}`,
    `tls: { certificateFile: ${server.certFile}, keyFile: ${server.keyFile}, caFile: ${caFile} }`,
    'dataDirectory: data',
  ]
  writeFileSync(configFile, lines.join('\n'))
})
afterAll(async () => {
  await store.store.stop()
  await removeScratchDirectory(directory)
})

interface Run {
  readonly status: number
  readonly out: string
  readonly err: string
}

async function run(
  words: string,
  input: string | Buffer = '',
  place = `--config ${configFile}`,
  env: Readonly<Record<string, string>> = {},
  terminal: object = {},
  onError: (text: string) => void = () => {},
): Promise<Run> {
  const stdin = Object.assign(new PassThrough(), terminal)
  const [stdout, stderr] = [createSink(), createSink(onError)]
  const io = { env, execArgv: [], onStopSignal: () => () => {}, exitNow: () => {} }
  stdin.end(input)
  const argv = ['store', ...[...words.split(' '), ...place.split(' ')].filter(Boolean)]
  const status = await runProgram({ ...io, argv, stdin, stdout, stderr } as unknown as Io)
  return { status, out: stdout.text(), err: stderr.text() }
}

/** A standard output that, like a pipe, has taken a copy when it says that a chunk is written. */
function createSink(onText: (text: string) => void = () => {}): Writable & { text: () => string } {
  const parts: Buffer[] = []
  const sink = new Writable({
    write: (part: Buffer, _encoding, done) => {
      parts.push(Buffer.from(part))
      onText(part.toString())
      done()
    },
  })
  return Object.assign(sink, { text: () => Buffer.concat(parts).toString('utf8') })
}

type Fields = Partial<Outcome> & { outcome: Outcome['outcome'] }

/** Carries the next request out as told, and says what came. */
async function carryAny(fields: Fields): Promise<{ document: RequestDocument; passwords: string[] }> {
  // A claim ends at once when it has news, such as a pause, and then there may be no request in it.
  const claim = async () => (await agent.claim({ waitMs: 10_000 })).requests[0]
  const claimed = (await claim()) ?? (await claim())
  if (!claimed) throw new Error('nothing was claimed')
  const document = await agent.read(claimed)
  const { passwords } = 'sealed' in document ? await agent.open(claimed) : { passwords: [] }
  await agent.receipt(claimed.request, claimed.lease)
  await agent.report(await agent.sign(claimed, fields))
  return { document, passwords }
}

/** Carries the next request out as told, and says which password came. */
const carry = async (fields: Fields): Promise<string> => (await carryAny(fields)).passwords.at(-1) ?? ''

test('users are added and listed', async () => {
  const add = `user add ada --anchor ${ANCHOR.toUpperCase()} --directory corp`
  expect(await run(add)).toMatchObject({ status: 0, out: `added ada: corp ${ANCHOR}\n` })
  const again = await run(add)
  expect(again).toMatchObject({ status: 1, out: '' })
  expect(again.err).toContain('ERR_STORE_REJECTED: user_exists: the user name or the anchor is taken')
  expect((await run('user list')).out).toBe(`ada  ada  corp  ${ANCHOR}\n`)
  expect(JSON.parse((await run('user list --json')).out).users).toHaveLength(1)
  expect(await run('user add bob --anchor nonsense --directory corp')).toMatchObject({ status: 2 })
})

test('an enrolment code is the only thing on standard output', async () => {
  const { status, out, err } = await run('enrolment-code --directory corp --directory lab')
  expect(status).toBe(0)
  expect(out).toMatch(/^wbe1-[\w-]{32}-[\w-]{43}\n$/)
  expect(err).toContain('serves once')
  expect((await run('enrolment-code --directory corp --valid-minutes 0')).status).toBe(2)
})

test('a generated password is printed once, arrives at the agent, and the verdict is told with its next step', async () => {
  const carrying = carry({ outcome: 'applied', notices: ['account_disabled'] })
  const { status, out, err } = await run('request reset ada --generate --must-change --wait')
  const password = await carrying
  expect(status).toBe(0)
  expect(err).toMatch(/^request \S{36} is on its way\n$/)
  expect(out.split(password)).toHaveLength(2)
  expect(out).toMatch(/applied after \d+\.\d\d s: the directory holds/)
  expect(out).toContain('note: done, but the account is disabled\nnext: enable the account (help desk)\n')
  expect(out).not.toContain('sign in')
})

test('with --json every line is JSON', async () => {
  const carrying = carry({ outcome: 'applied' })
  const { out } = await run('request reset ada --generate --wait --json')
  const [first, second] = out.trim().split('\n')
  expect(JSON.parse(first ?? '')).toEqual({ temporaryPassword: await carrying })
  expect(JSON.parse(second ?? '')).toMatchObject({ outcome: 'applied', state: 'closed' })
})

test('a password from standard input is taken up to the first line end, byte for byte', async () => {
  for (const [input, password] of [
    [' Grün 🔑 "quoted" \\\nmore\n', ' Grün 🔑 "quoted" \\'],
    ['from Windows\r\nmore\r\n', 'from Windows'],
    ['two\r\r\n', 'two\r'],
    ['no line end', 'no line end'],
  ] as const) {
    const carrying = carry({ outcome: 'applied' })
    const { status, out } = await run('request reset ada --password-stdin --wait --no-unlock', input)
    expect([status, await carrying]).toEqual([0, password])
    expect(out).not.toContain(password)
  }
})

test('a password that no directory could take never leaves the process', async () => {
  for (const input of ['', '\n', 'nul\0inside', Buffer.from([0x61, 0xff]), Buffer.alloc(3000, 0x61)]) {
    const { status, err } = await run('request reset ada --password-stdin', input)
    expect([status, err.includes('ERR_PASSWORD_UNREPRESENTABLE')]).toEqual([1, true])
  }
  expect((await run('request reset ada')).status).toBe(2)
  expect((await run('request reset ada --generate --password-stdin')).status).toBe(2)
  const { err } = await run('request reset nobody --generate')
  expect(err).toContain('user_not_found')
  expect(err).toContain('next: see: writeback store user list')
})

test('a change takes the current and the new password from two lines, byte for byte', async () => {
  for (const [input, passwords] of [
    [' Ält "1"\n Neu 🔑\\\nmore\n', [' Ält "1"', ' Neu 🔑\\']],
    ['from\r\nWindows\r\n', ['from', 'Windows']],
    ['no last\nline end', ['no last', 'line end']],
  ] as const) {
    const carrying = carryAny({ outcome: 'applied' })
    const { status, out, err } = await run('request change ada --password-stdin --wait --as self', input)
    const came = await carrying
    expect([status, came.passwords]).toEqual([0, passwords])
    expect(came.document).toMatchObject({ operation: 'change', actor: { kind: 'self', name: 'ada' } })
    for (const password of passwords) expect(out + err).not.toContain(password)
  }
})

test('a change without two passwords never leaves the process', async () => {
  for (const input of ['\nsecond\n', 'first\n\n', `a\n${'b'.repeat(3000)}`]) {
    const { status, err } = await run('request change ada --password-stdin', input)
    expect([status, err.includes('ERR_PASSWORD_UNREPRESENTABLE')]).toEqual([1, true])
  }
  for (const input of ['', 'only one', 'only one\n']) {
    const { status, err } = await run('request change ada --password-stdin', input)
    const words = 'ERR_USAGE: two lines are needed: the current password, then the new one'
    expect([status, err.includes(words)]).toEqual([2, true])
  }
  expect((await run('request change ada')).status).toBe(2)
  expect((await run('request change ada --generate')).status).toBe(2)
  expect((await run('request unlock ada --as robot')).status).toBe(2)
})

test('a byte order mark is no part of a password', async () => {
  for (const [operation, input] of [
    ['reset', '\ufeffsecret'],
    ['change', '\ufeffold\nnew\n'],
  ] as const) {
    const { status, err } = await run(`request ${operation} ada --password-stdin`, input)
    expect([status, err.includes('ERR_USAGE: the password begins with a byte order mark')]).toEqual([2, true])
  }
})

test('what an unlock leaves to do speaks of no new password', async () => {
  for (const [outcome, words] of [
    ['applied', 'the user can sign in again with the password there is'],
    ['unknown', 'ask again (user)'],
    ['superseded', 'none; a newer request counts'],
  ] as const) {
    const carrying = carryAny({ outcome, detail: 'told beside it' })
    const { out } = await run('request unlock ada --wait')
    await carrying
    expect(out).toContain(`detail: told beside it\nnext: ${words}\n`)
  }
})

test('a refusal tells the rule in words and the policy in aligned lines', async () => {
  const policy = { ...POLICY, lockoutDurationMs: 900_000, refusesNames: true }
  const rule = { kind: 'minimum_length', characters: 12 } as const
  const carrying = carry({ outcome: 'refused', reason: 'password_too_short', rule, policy })
  const { status, out } = await run('request reset ada --generate --wait')
  await carrying
  expect(status).toBe(3)
  expect(out).toContain(`accepted is: at least 12 characters
the password policy of the account:
  policy          corp.test (of the domain)
  minimum length  12 characters
  complexity      three of five kinds of characters
  names inside    refused: account name and display name
  history         the last 24 are refused
  minimum age     1 day
  maximum age     none
  locks           after 5 wrong within 30 minutes, for 15 minutes
next: choose a longer one (user)
`)
})

test('an unlock and an inspect ask for no password; an inspect waits and shows the account', async () => {
  const unlocking = carryAny({ outcome: 'applied', notices: ['locked_again'] })
  const unlocked = await run('request unlock ada --wait --as help-desk')
  expect((await unlocking).document).toMatchObject({ operation: 'unlock', actor: { kind: 'help_desk' } })
  expect(unlocked.status).toBe(0)
  expect(unlocked.out).toContain('note: unlocked, but new wrong passwords locked it again since')
  expect(unlocked.out).toContain('next: find what keeps sending the old password (help desk)')
  const account = {
    ...accountOf(ANCHOR),
    ...{ locked: true, passwordChangedAt: 1_790_000_000_000 },
    refusals: { reset: null, change: 'account_locked', unlock: null },
  } as const
  const inspecting = carryAny({ outcome: 'applied', account })
  const { status, out } = await run('request inspect ada')
  expect((await inspecting).document).toMatchObject({
    ...{ operation: 'inspect', actor: { kind: 'administrator' } },
  })
  expect(status).toBe(0)
  expect(out.slice(out.indexOf('the account'))).toMatch(/^the account, read after \d+\.\d\d s:$/m)
  expect(out).toContain(`
  reset             possible
  change            no, account_locked: the account is locked
  unlock            possible
  locked            yes
  disabled          no
  must change       no
  smart card only   no
  password changed  2026-09-21T14:13:20.000Z
  password expires  never
  account expires   never
  objectGUID        ${ANCHOR}
  policy            corp.test (of the domain)
  minimum length    12 characters
`)
  const json = carryAny({ outcome: 'applied', account })
  const printed = await run('request inspect ada --json')
  await json
  expect(JSON.parse(printed.out)).toMatchObject({ operation: 'inspect', outcome: 'applied', account })
})

test('the longest names and problems stay within 80 columns', async () => {
  const account = {
    ...accountOf(ANCHOR),
    refusals: { reset: 'account_protected', change: 'history_not_enforceable', unlock: 'account_ambiguous' },
    policy: { ...POLICY, name: 'x'.repeat(256), lockoutDurationMs: 61_001 },
    policyProblem: `no right to read ${'y '.repeat(240)}`,
  } as const
  const carrying = carryAny({ outcome: 'applied', account })
  const { out } = await run('request inspect ada')
  await carrying
  const lines = out.slice(out.indexOf('the account,')).split('\n')
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80)
  expect(out.replaceAll(/\n +/g, '')).toContain('x'.repeat(256))
})

test('durations are told in the largest unit that is exact', () => {
  const told = [0, 1, 1000, 90_000, 3_600_000, 86_400_000, 172_800_000, 86_460_000].map(describeDuration)
  expect(told).toEqual([
    ...['0 ms', '1 ms', '1 second', '90 seconds', '1 hour', '1 day', '2 days', '1441 minutes'],
  ])
})

test('a pinned user is listed with the pin', async () => {
  const pin = randomUUID()
  await run(`user add grace --anchor ${randomUUID()} --directory corp`)
  const carrying = carryAny({ outcome: 'applied', account: accountOf(pin) })
  await run('request inspect grace')
  await carrying
  const [, grace] = (await run('user list')).out.split('\n')
  expect(grace).toMatch(new RegExp(`^grace {2}.* {2}pinned to ${pin}$`))
  expect((await run('user add --help')).out).toContain('mS-DS-ConsistencyGuid')
})

test('published policies are shown with who and when, within 80 columns', async () => {
  expect((await run('policy show corp')).err).toContain('policies_not_found')
  const strict = { ...POLICY, name: 'strict', source: 'fine_grained', lockoutThreshold: 0, complexity: false }
  const body = {
    ...{ readAt: 1_790_000_000_000, policies: [POLICY, strict] },
    problems: [{ name: 'hidden', problem: 'no right to read it' }],
  }
  expect((await agent.call('publishPolicies', body, undefined, { name: 'corp' })).status).toBe(204)
  const { status, out } = await run('policy show corp')
  expect(status).toBe(0)
  expect(Math.max(...out.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80)
  expect(out).toMatch(
    /^policies of corp\n {2}read {7}2026-09-21T14:13:20.000Z\n {2}published {2}20\S+Z by agent-1\n/,
  )
  expect(out.slice(out.indexOf('\n\n'))).toBe(`

  policy          corp.test (of the domain)
  minimum length  12 characters
  complexity      three of five kinds of characters
  names inside    allowed
  history         the last 24 are refused
  minimum age     1 day
  maximum age     none
  locks           after 5 wrong within 30 minutes, until unlocked

  policy          strict (fine-grained)
  minimum length  12 characters
  complexity      not asked for
  names inside    allowed
  history         the last 24 are refused
  minimum age     1 day
  maximum age     none
  locks           never

cannot be read: hidden: no right to read it
`)
  expect(JSON.parse((await run('policy show corp --json')).out)).toMatchObject({ ...body, directory: 'corp' })
})

test('the exit status tells the outcome, and show repeats it', async () => {
  const outcomes = [
    [{ outcome: 'refused', reason: 'password_too_short', detail: '0000052D' }, 3, 'choose a longer one'],
    [{ outcome: 'superseded' }, 4, 'use the newer password'],
    [{ outcome: 'unknown' }, 5, 'try to sign in with the new password first'],
    [{ outcome: 'failed', reason: 'missing_right' }, 6, 'missing_right'],
  ] as const
  for (const [fields, status, words] of outcomes) {
    const carrying = carry(fields as Parameters<typeof carry>[0])
    const done = await run('request reset ada --generate --wait')
    await carrying
    expect([done.status, done.out.includes(words)]).toEqual([status, true])
    const [, id] = /request (\S+) for/.exec(done.out) ?? []
    expect(await run(`request show ${id}`)).toMatchObject({ status })
  }
  expect((await run('request show nothing')).err).toContain('request_not_found')
})

test('a user behind a thousand others is listed and found', async () => {
  const crowded = path.join(directory, 'crowded')
  mkdirSync(crowded)
  const repository = openSqliteRepository(path.join(crowded, 'store.db'))
  await repository.transaction(async (records) => {
    for (let number = 0; number <= 1000; number += 1) {
      const name = `user-${String(number).padStart(5, '0')}`
      await records.addUser({ name, displayName: 'x', directory: 'corp', anchor: randomUUID() })
    }
  })
  await repository.close()
  const second = await startStore(crowded)
  const { caFile } = await testCa()
  const token = path.join(crowded, 'admin-token')
  const place = `--url https://127.0.0.1:${second.port} --ca-file ${caFile} --token-file ${token}`
  expect((await run('user list', '', place)).out.trim().split('\n')).toHaveLength(1001)
  const { users } = JSON.parse((await run('user list --json', '', place)).out)
  expect([users.length, users.at(-1).name]).toEqual([1001, 'user-01000'])
  expect((await run('request reset user-01000 --generate', '', place)).err).toContain('no_agent')
  expect((await run('request reset user-0100 --generate', '', place)).err).toContain('user_not_found')
  await second.store.stop()
})

test('a certificate of an unknown authority is refused, whatever the environment says', async () => {
  const { strangerCaFile } = await testCa()
  const place = {
    ...{ url: `https://127.0.0.1:${store.port}`, caFile: strangerCaFile },
    tokenFile: path.join(data, 'admin-token'),
  }
  const program = `
    import { connectToStore } from ${JSON.stringify(path.resolve('src/cli/store-api.ts'))}
    const callStore = await connectToStore({ env: {}, execArgv: [] }, ${JSON.stringify(place)})
    console.log(await callStore('listUsers').then(() => 'connected', ({ code }) => code))`
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program]
  const env = { NODE_TLS_REJECT_UNAUTHORIZED: '0' }
  expect(await runCommand(process.execPath, args, { env })).toBe('ERR_STORE_TLS\n')
})

test('no command of the store runs where a debugging option would show its token', async () => {
  const commands = [
    ...[
      'user list',
      'agent list',
      'agent revoke x',
      'enrolment-code --directory corp',
      'pause',
      'resume',
      'server list',
    ],
    ...[
      'request show x',
      ...['request reset ada --generate', 'request change ada', 'request unlock ada'],
      ...['request inspect ada', 'policy show corp'],
      `user add b --anchor ${ANCHOR} --directory corp`,
      '',
    ],
  ]
  for (const command of commands) {
    const { status, err } = await run(command, '', undefined, { NODE_DEBUG: 'http' })
    expect([command, status, err.includes('ERR_RUNTIME_UNSAFE')]).toEqual([command, 1, true])
  }
  expect((await run('user list')).status).toBe(0)
})

test('the store does not start with a TLS key that others may read', async () => {
  const { server } = await testCa()
  const key = path.join(directory, 'open.key')
  const config = path.join(directory, 'open.yaml')
  copyFileSync(server.keyFile, key)
  const lines = [
    ...['listen: { port: 0 }', 'publicUrl: https://127.0.0.1', 'dataDirectory: unused'],
    `tls: { certificateFile: ${server.certFile}, keyFile: open.key }`,
  ]
  writeFileSync(config, lines.join('\n'))
  for (const mode of [0o644, 0o604, 0o620, 0o602]) {
    chmodSync(key, mode)
    const { status, err } = await run('', '', `--config ${config}`)
    expect([mode, status, /ERR_CONFIG_UNREADABLE: .*open\.key is open to others/.test(err)]).toEqual([
      ...[mode, 2, true],
    ])
  }
})

test('a probe is begun, waited for and listed; the exit status of the list says whether all is well', async () => {
  const none = await run('probe list')
  expect([none.status, none.out]).toEqual([1, expect.stringContaining('the store has no user of this name')])
  const anchor = 'aaaaaaaa-0000-4000-8000-0000000000ff'
  expect((await run(`user add prober --anchor ${anchor} --directory corp`)).status).toBe(0)
  const [refused] = await Promise.all([
    run('probe run prober --wait'),
    carryAny({ outcome: 'refused', reason: 'account_disabled' }),
  ])
  expect(refused).toMatchObject({ status: 3, err: expect.stringMatching(/^probe \S+ is on its way\n$/) })
  expect(refused.out).toContain('refused: account_disabled')
  const bad = await run('probe list')
  expect([bad.status, bad.out]).toEqual([1, expect.stringMatching(/refused account_disabled.*\n.*\n.*never/)])
  const begun = await run('probe run prober --json')
  const { request } = JSON.parse(begun.out)
  expect([begun.status, (await carryAny({ outcome: 'applied' })).document.id]).toEqual([0, request])
  const well = await run('probe list')
  expect([well.status, well.out.split('\n', 1)]).toEqual([0, ['prober, every 1 h']])
  for (const line of `${none.out}${bad.out}${well.out}`.split('\n'))
    expect(line.length).toBeLessThanOrEqual(80)
  expect(JSON.parse((await run('probe list --json')).out).probes).toMatchObject([
    { user: 'prober', late: false, problem: null, last: { request, outcome: 'applied' } },
  ])
  const stranger = await run('probe run ada')
  expect([stranger.status, stranger.err]).toEqual([1, expect.stringContaining('names no probe of this user')])
})

test('agents are listed and revoked, writing is paused and resumed', async () => {
  const { kid } = agent.keys.identity.publicKey
  expect((await run('agent list')).out).toMatch(
    new RegExp(`^${agent.id} {2}agent-1 {2}active {2}corp {2}key ${kid.slice(0, 16)} {2}seen `),
  )
  expect(JSON.parse((await run('agent list --json')).out).agents[0].identity).toBe(kid)
  const third = await enrolAgent(store, { name: 'third' })
  expect(await run(`agent revoke ${third.id}`)).toMatchObject({ status: 0, out: `revoked ${third.id}\n` })
  expect((await run('agent revoke nobody')).err).toContain('agent_not_found')
  expect((await run('pause')).out).toBe('paused: nothing is written\n')
  expect((await agent.claim()).paused).toBe(true)
  expect((await run('resume --json')).out).toBe('{"paused":false}\n')
})

test('a domain controller is declared gone, listed and taken back', async () => {
  const id = randomUUID()
  expect((await run(`server gone ${id.toUpperCase()}`)).out).toBe(`${id}\n`)
  expect((await run('server list --json')).out).toBe(`{"servers":["${id}"]}\n`)
  expect((await run(`server back ${id}`)).out).toBe('')
  expect((await run('server gone dc1')).err).toContain('call_invalid')
})

test('from another host the store is named by URL, authority and token file; a wrong authority is refused', async () => {
  const { caFile, strangerCaFile } = await testCa()
  const token = path.join(data, 'admin-token')
  const place = (ca: string) => `--url https://127.0.0.1:${store.port} --ca-file ${ca} --token-file ${token}`
  expect((await run('user list', '', place(caFile))).status).toBe(0)
  const refused = await run('user list', '', place(strangerCaFile))
  expect([refused.status, refused.err.includes('ERR_STORE_TLS')]).toEqual([1, true])
  const nobody = await run('user list', '', `--url https://127.0.0.1:9 --token-file ${token}`)
  expect(nobody.err).toContain('ERR_STORE_UNREACHABLE')
  expect((await run('user list', '', '')).status).toBe(2)
})

test('a temporary password has every kind of character and nothing that looks alike', () => {
  for (let time = 0; time < 200; time += 1) {
    const password = String(makeTemporaryPassword())
    expect(password).toMatch(/^[A-HJ-NP-Za-km-z2-9]{4}(-[A-HJ-NP-Za-km-z2-9]{4}){3}$/)
    for (const kind of [/[A-Z]/, /[a-z]/, /[2-9]/]) expect(password).toMatch(kind)
  }
})

test('keys edit the line by whole characters, and arrow keys do nothing', () => {
  const typed = (keys: string) => {
    const editor = createLineEditor(16)
    const { state, used } = editor.take(Buffer.from(keys))
    return [state, String(editor.line()), used]
  }
  expect(typed('abc\rrest')).toEqual(['done', 'abc', 4])
  expect(typed('aü\x7f€\b🔑\x7fb\n')).toEqual(['done', 'ab', 15])
  expect(typed('wrong\x15right\r')).toEqual(['done', 'right', 12])
  expect(typed('a\x1b[Ab\x1bOPc\x1b[3~\td\r')).toEqual(['done', 'abcd', 16])
  expect(typed('abc\x03')[0]).toBe('cancelled')
  expect(typed('\x7f\x7fa\r')).toEqual(['done', 'a', 4])
  expect(typed('x'.repeat(17))[0]).toBe('too long')
})

test('the terminal shows nothing that is typed from before the first question to the last answer', async () => {
  for (const [operation, pasted, questions] of [
    ['change', 'old\rnew\rnew\r', ['current password: ', 'new password: ', 'again: ']],
    ['reset', 'x\rx\r', ['new password: ', 'again: ']],
  ] as const) {
    const seen: string[] = []
    const terminal = { isTTY: true, setRawMode: (isRaw: boolean) => seen.push(isRaw ? 'hidden' : 'shown') }
    const carrying = carryAny({ outcome: 'applied' })
    const note = (text: string) => text.endsWith(': ') && seen.push(text)
    expect((await run(`request ${operation} ada --wait`, pasted, undefined, {}, terminal, note)).status).toBe(
      0,
    )
    await carrying
    expect(seen).toEqual(['hidden', ...questions, 'shown'])
  }
})

test('lines that are pasted at once answer one question each', async () => {
  const terminal = { isTTY: true, setRawMode: () => {} }
  for (const [operation, pasted, passwords] of [
    ['change', 'old\rnew\rnew\r', ['old', 'new']],
    ['reset', 'x\rx\r', ['x']],
    ['reset', 'ends with the input\rends with the input\nmore', ['ends with the input']],
  ] as const) {
    const carrying = carryAny({ outcome: 'applied' })
    const running = run(`request ${operation} ada --wait`, pasted, undefined, {}, terminal)
    expect((await running).status).toBe(0)
    expect((await carrying).passwords).toEqual(passwords)
  }
  const { status, err } = await run('request reset ada --wait', 'x\ry\r', undefined, {}, terminal)
  expect([status, err.includes('the two passwords differ')]).toEqual([2, true])
})

/** Types answers on a terminal, each after its question; gives the exit status and all that was shown. */
async function typeAnswers(operation: string, answers: readonly (readonly [string, string])[]) {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', path.resolve('src/main.ts')]
  const words = ['store', 'request', operation, 'ada', '--wait', '--config', configFile]
  const log = path.join(directory, `terminal-${operation}.log`)
  const command = [...node, ...words].join(' ')
  writeFileSync(log, '')
  const terminal = spawn('script', ['-qfec', command, log], { env: bareEnvironment(), stdio: 'pipe' })
  const exited = new Promise((resolve) => terminal.once('exit', resolve))
  const seen = () => readFileSync(log, 'utf8')
  terminal.stdout.resume()
  for (const [question, answer] of answers) {
    const end = performance.now() + 30_000
    while (!seen().includes(question)) {
      if (performance.now() > end) {
        terminal.kill()
        throw new Error(`it does not ask: ${question}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    terminal.stdin.write(answer)
  }
  return { status: await exited, seen: seen() }
}

test('on a terminal the password is asked for twice and never shown', async () => {
  const carrying = carry({ outcome: 'applied' })
  const { status, seen } = await typeAnswers('reset', [
    ['new password: ', 'Tÿpedx\x7f-secret-1\r'],
    ['again: ', 'Tÿped-secret-1\r'],
  ])
  expect(await carrying).toBe('Tÿped-secret-1')
  expect(status).toBe(0)
  expect(seen).toContain('applied after')
  expect(seen).not.toMatch(/Tÿped|secret-1/)
})

test('on a terminal a change asks for the current password and twice for the new one', async () => {
  const carrying = carryAny({ outcome: 'refused', reason: 'wrong_current_password' })
  const { status, seen } = await typeAnswers('change', [
    ['current password: ', 'Öld-secret-1\r'],
    ['new password: ', 'Tÿped-secret-2\r'],
    ['again: ', 'Tÿped-secret-2\r'],
  ])
  expect((await carrying).passwords).toEqual(['Öld-secret-1', 'Tÿped-secret-2'])
  expect(status).toBe(3)
  expect(seen).not.toMatch(/Tÿped|Öld|secret-/)
})
