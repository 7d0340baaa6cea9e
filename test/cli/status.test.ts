// writeback status, as an operator types it, against the agent's own operators' server, or what should not answer there.
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, afterEach, expect, test } from '@jest/globals'
import { createOpsServer } from '../../src/agent/ops/create-ops-server.ts'
import type { AgentView } from '../../src/agent/ops/describe-agent.ts'
import { describeAge } from '../../src/cli/describe-age.ts'
import { describeStatus } from '../../src/cli/describe-status.ts'
import type { Io } from '../../src/cli/io.ts'
import { type AgentStatus, readStatus } from '../../src/cli/read-status.ts'
import { runProgram } from '../../src/cli/run-program.ts'
import { CONDITIONS, type Condition, type ConditionCode } from '../../src/telemetry/conditions.ts'
import { bareEnvironment } from '../servers/child-process.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { writeSampleConfig } from './sample-config.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const directory = makeScratchDirectory()
const socket = path.join(directory, 'ops.sock')
const configFile = writeSampleConfig(directory)
const stops: (() => Promise<unknown>)[] = []
const NOW = Date.UTC(2026, 10, 22, 8, 13, 26)

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})
afterAll(() => removeScratchDirectory(directory))

const condition = (
  code: ConditionCode,
  subject: string,
  since: number,
  detail = '',
  dependsOn: readonly ConditionCode[] = [],
): Condition => ({
  ...CONDITIONS[code],
  ...{ code, subject, since, detail, dependsOn },
})

const ended = (operation: string, outcome: string, reason: string | null, agoMs: number) => ({
  ...{ operation, outcome, reason, directory: 'corp', at: NOW + 12 - agoMs },
  request: `0199c0de-0000-7000-8000-${String(agoMs).padStart(12, '0')}`,
})
const ran = (name: string, agoMs: number, lastDurationMs: number, nextMs: number) => ({
  ...{ name, lastRunAt: NOW - agoMs, lastResult: 'done' as const, lastDurationMs, problem: null },
  ...{ isRunning: false, nextRunAt: NOW + nextMs },
})

const WELL: AgentView = {
  version: '0.1.0',
  agent: '0199c0de-0000-7000-8000-000000000001',
  ready: true,
  paused: false,
  startedAt: NOW - 11_520_000,
  storeOffsetMs: 12,
  requests: { open: 0, undelivered: 0, finished: 120, oldestOpenAt: null, oldestUndeliveredAt: null },
  queues: { corp: { waiting: 0, active: 1, delayed: 0 } },
  directories: [
    {
      ...{ name: 'corp', connected: true, server: 'b8a4b9a6-0000-4000-8000-000000000002' },
      ...{ url: 'ldaps://dc1.corp.example.com:636', clockOffsetMs: -3, discovery: null },
    },
  ],
  conditions: [],
  certificates: [],
  reports: [],
  probes: [],
  lastOutcomes: [
    ended('reset', 'applied', null, 12_000),
    ended('change', 'refused', 'wrong_current_password', 251_000),
    ended('unlock', 'applied', null, 3_600_000),
  ],
  jobs: [
    ran('heartbeat', 12_000, 9, 18_000),
    ran('policies', 40_000, 21, 4_000),
    ran('keys', 26_000, 0, 19_000),
    ran('journal', 1_800_000, 3, 1_800_000),
    { ...ran('audit', 0, 0, 214_000), lastRunAt: null, lastResult: null, lastDurationMs: null },
  ],
}

const ILL: AgentView = {
  ...WELL,
  ready: false,
  requests: {
    ...{ open: 2, undelivered: 1, finished: 120 },
    ...{ oldestOpenAt: NOW + 12 - 185_000, oldestUndeliveredAt: NOW + 12 - 4_000 },
  },
  queues: { ...WELL.queues, people: null },
  directories: [
    ...WELL.directories,
    { name: 'people', connected: false, server: null, url: null, clockOffsetMs: null, discovery: null },
  ],
  lastOutcomes: [],
  jobs: [
    {
      ...{ ...ran('heartbeat', 12_000, 10_004, 18_000), lastResult: 'failed', isRunning: true },
      problem: 'ERR_STORE_TIMEOUT: PUT /v1/agents/self/heartbeat: the store did not answer in time',
    },
    ran('policies', 40_000, 21, 4_000),
  ],
  conditions: [
    condition('requests_waiting', 'people', NOW - 60_000, '2 open, the oldest for 185 s', [
      'directory_unreachable',
    ]),
    condition('audit_not_forwarded', '', NOW - 7_500_000, 'connect ECONNREFUSED 192.0.2.7:6514'),
    condition(
      ...(['directory_unreachable', 'people', NOW - 180_000] as const),
      'ERR_DIRECTORY_TLS: ldaps://ldap1.example.org: certificate has expired',
    ),
  ],
}

const statusOf = (view: AgentView): AgentStatus => {
  const status = readStatus(view)
  if (status === undefined) throw new Error('the agent’s own view is not read')
  return status
}
const shown = (view: AgentView, auditCollector?: string) =>
  describeStatus(statusOf(view), { nowMs: NOW, inColour: false, auditCollector })

async function serve(view: () => AgentView): Promise<void> {
  const unasked = () => Promise.reject(new Error('nobody asks'))
  const server = createOpsServer(
    { socket, port: undefined },
    {
      ...{ isReady: () => view().ready, conditions: () => view().conditions, metrics: unasked },
      ...{ view: async () => view(), closeBreaker: () => false, keys: () => [], rotateKey: unasked },
    },
  )
  await server.start()
  stops.push(server.stop)
}

async function run(words = '', over: Partial<Io> = {}, terminal: object = {}) {
  const [stdout, stderr] = [Object.assign(new PassThrough(), terminal), new PassThrough()]
  const io = { env: {}, execArgv: [], onStopSignal: () => () => {}, exitNow: () => {} }
  const argv = ['status', '--config', configFile, ...words.split(' ').filter(Boolean)]
  const status = await runProgram({
    ...io,
    argv,
    stdin: new PassThrough(),
    stdout,
    stderr,
    ...over,
  } as unknown as Io)
  return { status, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') }
}

test('the screens of the manual are what the command shows', () => {
  const [well, ill] = [
    ...readFileSync(path.join(ROOT, 'docs/status.md'), 'utf8').matchAll(/```text\n(.*?)```/gs),
  ]
  expect(`${shown(WELL).join('\n')}\n`).toBe(well?.[1])
  expect(`${shown(ILL, 'syslog.example.com:6514').join('\n')}\n`).toBe(ill?.[1])
})

test('controllers that DNS names are told with their age, and those that it no longer names', () => {
  const url = (host: string) => `ldaps://${host}.corp.example.com`
  const screen = (problem: string | null, vanished: readonly string[]) =>
    shown({
      ...WELL,
      directories: [
        {
          ...(WELL.directories[0] as AgentView['directories'][number]),
          url: url('dc1'),
          discovery: {
            ...{ domain: 'corp.example.com', foundAt: NOW - 240_000, problem },
            ...{ controllers: [url('dc1'), url('dc2')], vanished },
          },
        },
      ],
    }).join('\n')
  const [part = ''] = [
    ...readFileSync(path.join(ROOT, 'docs/discovery.md'), 'utf8').matchAll(/```text\n(.*?)```/gs),
  ].map(([, text = '']) => text)
  expect(part.length).toBeGreaterThan(100)
  expect(screen(null, [url('dc9')])).toContain(part.trimEnd())
  expect(screen(null, [])).not.toContain('no longer in DNS')
  expect(screen('no answer', [])).toContain('DNS: 2 controllers of corp.example.com, 4 min ago; NO LIST NOW')
})

test('no line is wider than 80 columns, with every condition at once and whatever servers say', () => {
  const detail = `\x1b[2J\u202e${'a long word '.repeat(40)}${'x'.repeat(300)}\r\nand more`
  const codes = Object.keys(CONDITIONS) as ConditionCode[]
  const name = 'd'.repeat(32)
  const lines = shown({
    ...ILL,
    conditions: codes.map((code) => condition(code, name, 0, detail)),
    queues: { [name]: { waiting: 1e9, active: 1e9, delayed: 1e9 } },
    directories: [
      {
        ...WELL.directories[0],
        ...{ name, url: `ldaps://${'u'.repeat(200)}` },
        discovery: {
          ...{ domain: 'd'.repeat(200), foundAt: null, problem: detail },
          ...{ controllers: [], vanished: [detail, detail] },
        },
      } as never,
    ],
  })
  expect(lines.length).toBeGreaterThan(codes.length * 3)
  expect(lines.filter((line) => line.length > 80)).toEqual([])
  expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  for (const code of codes) expect(lines.some((line) => line.includes(code))).toBe(true)
})

test.each([
  [-5, '0 s'],
  [999, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [185_000, '3 min 5 s'],
  [3_600_000, '1 h'],
  [11_520_000, '3 h 12 min'],
  [90_061_000, '1 d 1 h'],
])('%i ms are told as %s', (ms, text) => expect(describeAge(ms)).toBe(text))

test('a report is told by its counts, and says when it was cut short', () => {
  const report = { directory: 'corp', writtenAt: NOW - 7_200_000, locked: 3, expiring: 41 }
  const lines = (isCut: boolean) => shown({ ...WELL, reports: [{ ...report, isCut }] })
  expect(lines(false)).toContain('  corp  3 locked, 41 passwords about to expire, 2 h ago')
  expect(lines(true)).toContain('  corp  at least 3 locked, at least 41 passwords about to expire, 2 h ago')
})

test('a probe is told by when one was applied, and by the last one where that failed', () => {
  const probe = { directory: 'corp', expectEveryMs: 3_600_000, lastAppliedAt: NOW + 12 - 7_200_000 }
  const last = { request: 'r', outcome: 'applied', reason: null, at: NOW + 12 - 7_200_000 }
  const line = (fields: object) => shown({ ...WELL, probes: [{ ...probe, last, ...fields }] })
  expect(line({})).toContain('  corp  applied 2 h ago')
  expect(line({ last: null, lastAppliedAt: null })).toContain('  corp  none applied')
  const failed = { ...last, outcome: 'refused', reason: 'account_disabled', at: NOW + 12 - 60_000 }
  expect(line({ last: failed })).toContain(
    '  corp  last refused account_disabled, 1 min ago; applied 2 h ago',
  )
})

test('what keeps an agent from being ready is said where no condition says it, and a pause is', () => {
  expect(shown({ ...WELL, ready: false })[2]).toContain('clock +12 ms, no claim answered yet')
  expect(shown({ ...WELL, ready: false, storeOffsetMs: null })[2]).toContain('no answer yet')
  expect(shown(ILL)[2]).not.toContain('claim')
  expect(shown({ ...WELL, paused: true })[0]).toContain('READY, PAUSED')
  const full = condition('audit_not_writable', '', NOW)
  expect(shown({ ...WELL, ready: false, conditions: [full] }, 'c:1')[4]).toContain(
    'NOT WRITABLE, forwarded to',
  )
})

test('a ready agent ends with 0, one that is not with 1; --json is the agent’s own answer', async () => {
  let view: AgentView = WELL
  await serve(() => view)
  const { status, out, err } = await run()
  expect([status, err]).toEqual([0, ''])
  expect(out).toContain('writeback 0.1.0  READY')
  view = { ...ILL, addedLater: { by: 'a newer agent' } } as AgentView
  const ill = await run()
  expect([ill.status, ill.out]).toEqual([1, expect.stringContaining('error    directory_unreachable people')])
  const json = await run('--json')
  expect([json.status, JSON.parse(json.out), json.out.match(/\n/g)]).toEqual([1, view, ['\n']])
})

test('colour is for terminals, and not where NO_COLOR is set', async () => {
  await serve(() => ILL)
  expect((await run()).out).not.toContain('\x1b')
  expect((await run('', {}, { isTTY: true })).out).toContain('\x1b[31m')
  expect((await run('', { env: { NO_COLOR: '1' } }, { isTTY: true })).out).not.toContain('\x1b')
  expect((await run('--json', {}, { isTTY: true })).out).not.toContain('\x1b')
})

test('an agent that does not run ends with 3, the socket and the next step', async () => {
  for (const words of ['', '--json']) {
    const { status, out, err } = await run(words)
    expect([status, out]).toEqual([3, ''])
    expect(err).toContain(`ERR_AGENT_UNREACHABLE: no answer from the agent at ${socket}\n`)
    expect(err).toContain('next: check that the agent runs on this host')
  }
})

test.each([
  ['no JSON', 200, 'no JSON'],
  ['null', 200, 'null'],
  ['a status without conditions', 200, JSON.stringify({ ...WELL, conditions: undefined })],
  ['a status under HTTP status 503', 503, JSON.stringify(WELL)],
])('%s is not the answer of an agent', async (_what, code, body) => {
  const server = createServer((_request, response) =>
    response.writeHead(code, { connection: 'close' }).end(body),
  )
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  stops.push(() => new Promise((resolve) => server.close(resolve)))
  expect(await run()).toMatchObject({
    status: 3,
    out: '',
    err: expect.stringContaining('no answer of an agent'),
  })
})

test.each(['corp', '--wach', '--config'])('status %s is bad usage', async (words) => {
  expect(await run(words)).toMatchObject({ status: 2, out: '' })
})

/** Runs `status --watch` until `isSeen` of all that was written, then presses Ctrl-C. */
async function watchUntil(words: string, isSeen: (out: string) => boolean) {
  let stop = () => {}
  let out = ''
  const stdout = new PassThrough().on('data', (part) => {
    out += part
    if (isSeen(out)) stop()
  })
  let forgotten = 0
  const onStopSignal = (listener: (signal: string) => void) => {
    stop = () => listener('SIGINT')
    return () => {
      forgotten += 1
    }
  }
  const { status, err } = await run(words, { onStopSignal, stdout: stdout as never })
  return { status, out, err, forgotten }
}

test('beside a terminal --watch writes one screen after the other, and --json one line a look', async () => {
  let looks = 0
  const view = () => {
    looks += 1
    return looks === 1 ? WELL : ILL
  }
  await serve(view)
  const { status, out, forgotten } = await watchUntil('--watch', (text) => text.includes('NOT READY'))
  expect([status, forgotten, out.includes('\x1b')]).toEqual([1, 1, false])
  expect(out.split('\n\n').map((screen) => screen.split('  ')[1])).toEqual(['READY', 'NOT READY'])
  looks = 0
  const json = await watchUntil('--watch --json', (text) => text.split('\n').length > 2)
  expect(
    json.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).ready),
  ).toEqual([true, false])
})

test('on a terminal --watch redraws a page, outlives the agent, and leaves the terminal as it was', async () => {
  await serve(() => WELL)
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', path.join(ROOT, 'src/main.ts')]
  const log = path.join(directory, 'terminal.log')
  const command = ['exec', ...node, 'status', '--watch', '--config', configFile].join(' ')
  writeFileSync(log, '')
  const terminal = spawn('script', ['-qfec', command, log], { env: bareEnvironment(), stdio: 'pipe' })
  stops.push(async () => terminal.kill())
  const exited = new Promise((resolve) => terminal.once('exit', resolve))
  terminal.stdout.resume()
  const seen = async (isSeen: (text: string) => boolean) => {
    for (const end = performance.now() + 20_000; !isSeen(readFileSync(log, 'utf8')); ) {
      if (performance.now() > end) throw new Error(`never shown: ${readFileSync(log, 'utf8')}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  await seen((text) => text.split('\x1b[H').length > 2)
  await stops.shift()?.()
  await seen((text) => text.includes('ERR_AGENT_UNREACHABLE'))
  terminal.stdin.write('\x03')
  expect(await exited).toBe(3)
  const [before = '', rest = ''] = readFileSync(log, 'utf8').split('\x1b[?1049h\x1b[?25l\x1b[?7l')
  const [page = '', after = ''] = rest.split('\x1b[?7h\x1b[?25h\x1b[?1049l')
  expect(page).toContain('\x1b[32mREADY')
  expect(after).toContain('no answer from the agent at')
  expect(before + after).not.toContain('\x1b[')
})
