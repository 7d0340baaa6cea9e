// The end of a real agent, whatever is down: within its deadline, with nothing lost; at once at a second signal; by signal or by
// writeback stop.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import type { Io } from '../../src/cli/io.ts'
import { listenForSignals, meantSignals } from '../../src/cli/process-signals.ts'
import { runProgram } from '../../src/cli/run-program.ts'
import { stopRequest } from '../../src/cli/stop-request.ts'
import { runWords } from '../cli/run-words.ts'
import { laterPassword, newPassword } from '../servers/canaries.ts'
import { guardGroup, isAlive, startReadyChild } from '../servers/child-process.ts'
import { type NotifyReceiver, startNotifyReceiver } from '../servers/notify-receiver.ts'
import { nodeArguments } from '../servers/world-programs.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'

const DEADLINE_MS = 6_000
/** A loaded machine's own slowness. */
const SLACK_MS = 2_000
// Three times within it the agent says that it works.
const WATCHDOG_MS = 6_000
let world: World<'openldap'>
let systemd: NotifyReceiver

beforeAll(async () => {
  systemd = await startNotifyReceiver()
  world = await startWorld({
    kind: 'openldap',
    proxied: false,
    agentEnv: { NOTIFY_SOCKET: systemd.socket, WATCHDOG_USEC: String(WATCHDOG_MS * 1000) },
    // Far beyond the deadline: nothing may end in time only because something else gave up.
    directorySettings: '    operationTimeoutSeconds: 60\n    connectTimeoutSeconds: 60',
    agentSettings: `shutdownTimeoutSeconds: ${DEADLINE_MS / 1000}`,
  })
}, 60_000)
afterAll(async () => {
  await world?.stop()
  await systemd?.stop()
})
beforeEach(async () => {
  if (!world.agent.isRunning()) await world.agent.start()
})

/** A user of its own for each request: no directory takes the same password twice. Made while the directory answers. */
async function prepare(name: string): Promise<() => Promise<string>> {
  const user = await world.createUser({ name: name.replaceAll(' ', '') })
  return () => world.ask(user, newPassword())
}

const redisPid = () => Number(readFileSync(path.join(world.agent.stateDirectory, 'redis/pid'), 'utf8'))

/** Stops a process until the end of the test, also when this process dies. */
function still(pid: number): () => void {
  const guard = guardGroup(pid)
  process.kill(pid, 'SIGSTOP')
  return () => {
    if (isAlive(pid)) process.kill(pid, 'SIGCONT')
    guard.stdin?.end('resumed\n')
  }
}

function stillDirectory(): () => void {
  world.domain.pause()
  return () => world.domain.resume()
}

async function endedAfter(begunMs: number, limitMs: number): Promise<number> {
  while (world.agent.isRunning() && performance.now() - begunMs < limitMs) await sleep(5)
  return performance.now() - begunMs
}

const LATE = 'the stop ran out of time'
const saidSince = (mark: number) => world.agent.output().slice(mark)

test('an agent with nothing to do ends before its deadline', async () => {
  const mark = world.agent.output().length
  const begun = performance.now()
  expect(await world.agent.stop()).toBe(0)
  expect(performance.now() - begun).toBeLessThan(DEADLINE_MS)
  expect(saidSince(mark)).toContain('"by":"SIGTERM"')
})

test.each<[string, () => () => void]>([
  ['the directory', stillDirectory],
  ['the reset store', () => still(world.store.pid())],
  ['the private Redis', () => still(redisPid())],
])(
  '%s that takes connections and never answers: the agent ends in time, and nothing is lost',
  async (what, pause) => {
    const ask = await prepare(what)
    const resume = pause()
    try {
      const waiting = what === 'the reset store' ? undefined : await ask()
      await sleep(1_000)
      const mark = world.agent.output().length
      const begun = performance.now()
      process.kill(world.agent.pid(), 'SIGTERM')
      expect(await endedAfter(begun, 20_000)).toBeLessThan(DEADLINE_MS + SLACK_MS)
      expect(await world.agent.stop()).toBe(0)
      expect(saidSince(mark)).not.toContain(LATE)
      expect(saidSince(mark)).toContain('agent stopped')
      resume()
      await world.agent.start()
      if (waiting !== undefined) expect(await world.verdict(waiting)).toMatchObject({ outcome: 'applied' })
    } finally {
      resume()
    }
  },
  60_000,
)

test('a stop that comes while the agent still starts is heard at once', async () => {
  await world.agent.stop()
  const resume = still(world.store.pid())
  world.domain.pause()
  const output = path.join(world.directory, 'starting.log')
  try {
    const child = await startReadyChild(
      {
        command: process.execPath,
        args: [...nodeArguments(), 'agent', '--config', world.agentConfigFile],
        outputFile: output,
      },
      // Redis runs, and the first look at the directory is waited for.
      async () => readFileSync(output, 'utf8').includes('the private Redis says'),
    )
    await sleep(500)
    const begun = performance.now()
    process.kill(child.pid, 'SIGTERM')
    expect(await child.exited).toBe(0)
    expect(performance.now() - begun).toBeLessThan(DEADLINE_MS + SLACK_MS)
    expect(readFileSync(output, 'utf8')).not.toContain(LATE)
  } finally {
    resume()
    world.domain.resume()
  }
}, 30_000)

test('a second signal ends the agent at once, and the next start goes on', async () => {
  const ask = await prepare('second signal')
  world.domain.pause()
  const request = await ask()
  await sleep(1_000)
  process.kill(world.agent.pid(), 'SIGTERM')
  await sleep(500)
  expect(world.agent.isRunning()).toBe(true)
  const begun = performance.now()
  process.kill(world.agent.pid(), 'SIGINT')
  expect(await endedAfter(begun, 20_000)).toBeLessThan(1_000)
  world.domain.resume()
  await world.agent.start()
  expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
}, 60_000)

const seen = async (isSeen: (said: readonly string[]) => boolean, since = 0): Promise<readonly string[]> => {
  const end = performance.now() + 20_000
  while (!isSeen(systemd.said().slice(since)) && performance.now() < end) await sleep(20)
  return systemd.said().slice(since)
}

test('systemd is told of the start, that the agent works, what it waits for, a reload and the stop', async () => {
  await world.agent.stop()
  const mark = systemd.said().length
  await world.agent.start()
  const said = await seen((all) => all.includes('WATCHDOG=1'), mark)
  expect(said[0]).toBe('READY=1')
  expect(said[1]).toMatch(/^STATUS=(not )?ready, 0 open requests/)
  await seen((all) => all.includes('STATUS=ready, 0 open requests'), mark)
  process.kill(world.agent.pid(), 'SIGHUP')
  const reloaded = await seen((all) => all.filter((one) => one === 'READY=1').length === 2, mark)
  const at = reloaded.indexOf('RELOADING=1')
  // systemd takes a later READY=1 for the end of this reload by the time in it, of the clock that Linux calls monotonic.
  const [, microseconds = ''] = /^MONOTONIC_USEC=(\d+)$/.exec(reloaded[at + 1] ?? '') ?? []
  const passedMs = Number(process.hrtime.bigint() / 1_000_000n) - Number(microseconds) / 1_000
  expect(passedMs).toBeGreaterThan(0)
  expect(passedMs).toBeLessThan(20_000)
  expect(reloaded.indexOf('READY=1', at)).toBeGreaterThan(at)
  process.kill(world.store.pid(), 'SIGSTOP')
  const told = await seen((all) => all.some((one) => one.includes('not ready')), mark + reloaded.length)
  process.kill(world.store.pid(), 'SIGCONT')
  expect(told).toContainEqual(expect.stringMatching(/^STATUS=not ready, 0 open requests, \w+/))
  const before = systemd.said().length
  await world.agent.stop()
  const last = systemd.said().slice(before)
  const stopping = last.indexOf('STOPPING=1')
  expect(last.slice(stopping, stopping + 3)).toEqual([
    ...['STOPPING=1', 'STATUS=stopping'],
    `EXTEND_TIMEOUT_USEC=${(DEADLINE_MS + 10_000) * 1000}`,
  ])
}, 90_000)

const reload = (...more: readonly string[]) =>
  runWords(['reload', '--config', world.agentConfigFile, ...more])

test('a reload takes limits and the log level over, names what needs a restart, and a faulty file changes nothing', async () => {
  const file = world.agentConfigFile
  const before = readFileSync(file, 'utf8')
  try {
    expect(await reload()).toEqual({ status: 0, out: 'nothing has changed\n', err: '' })
    writeFileSync(
      file,
      before
        .replace(
          'operationTimeoutSeconds: 60',
          'operationTimeoutSeconds: 59\n    limits: { perAccountAndHour: 1 }',
        )
        .replace(/level: \w+/, 'level: info'),
    )
    const { status, out } = await reload()
    expect([status, out]).toEqual([
      1,
      [
        'taken over: directories.corp.limits.perAccountAndHour',
        'taken over: log.level',
        'needs a restart: directories.corp.operationTimeoutSeconds\n',
      ].join('\n'),
    ])
    const user = await world.createUser({ name: 'reloaded' })
    expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
    expect(await world.reset(user, laterPassword())).toMatchObject({
      ...{ outcome: 'refused', reason: 'too_many_attempts' },
    })
    // What was taken over is no change any more, what needs a restart still is.
    const again = await reload('--json')
    expect([again.status, JSON.parse(again.out)]).toEqual([
      1,
      {
        ...{ applied: [], faults: [], problem: null },
        needsRestart: ['directories.corp.operationTimeoutSeconds'],
      },
    ])
    const mark = world.agent.output().length
    writeFileSync(file, before.replace('connections:', 'connection:').concat('\nunknown: 1\n'))
    process.kill(world.agent.pid(), 'SIGHUP')
    while (!saidSince(mark).includes('nothing has changed')) await sleep(10)
    const lines = before.split('\n').length + 1
    expect(saidSince(mark)).toContain(
      `"line":${lines},"message":"this key is not known here","path":"unknown"`,
    )
    expect(saidSince(mark)).not.toContain('"level":"debug"')
    const faulty = await reload()
    expect([faulty.status, faulty.err]).toEqual([2, expect.stringContaining(`${file}:${lines}:1`)])
    expect(await world.reset(user, laterPassword())).toMatchObject({ outcome: 'refused' })
  } finally {
    writeFileSync(file, before)
    await reload()
  }
  const user = await world.createUser({ name: 'unlimited' })
  for (const password of [newPassword(), laterPassword()])
    expect(await world.reset(user, password)).toMatchObject({ outcome: 'applied' })
}, 60_000)

const stopWords = (...more: readonly string[]) => ['stop', '--config', world.agentConfigFile, ...more]

test('writeback stop ends the agent and says so when it is gone; where none runs it ends with 3', async () => {
  const pid = world.agent.pid()
  const { status, out, err } = await runWords(stopWords('--json'))
  expect(world.agent.isRunning()).toBe(false)
  expect([status, err]).toEqual([0, ''])
  expect(JSON.parse(out)).toEqual({ stopped: true, pid, seconds: expect.any(Number) })
  expect(world.agent.output()).toContain('"by":"writeback stop"')
  const again = await runWords(stopWords())
  expect([again.status, again.out]).toEqual([3, ''])
  expect(again.err).toContain('ERR_AGENT_UNREACHABLE')
})

test('writeback stop shows its progress on a terminal, and how it ended', async () => {
  const ask = await prepare('progress')
  world.domain.pause()
  await ask()
  await sleep(1_000)
  const stdout = Object.assign(new PassThrough(), { isTTY: true })
  const io = {
    env: {},
    execArgv: [],
    onStopSignal: () => () => {},
    exitNow: () => {},
    stderr: new PassThrough(),
  }
  const status = await runProgram({ ...io, argv: stopWords(), stdout } as unknown as Io)
  world.domain.resume()
  const shown = String(stdout.read())
  expect(shown).toContain('\r\x1b[Kstopping: 0 s of at most 6 s')
  expect(shown).toMatch(/Kstopping: [1-8] s of at most 6 s/)
  expect(shown.split('\r\x1b[K').at(-1)).toMatch(/^stopped, after [\d.]+ s\n$/)
  expect(status).toBe(0)
}, 30_000)

test.each<[NodeJS.Platform, boolean, readonly string[], readonly string[]]>([
  ['linux', false, ['SIGTERM', 'SIGINT'], ['SIGHUP']],
  ['linux', true, ['SIGTERM', 'SIGINT', 'SIGHUP'], []],
  ['win32', false, ['SIGINT', 'SIGBREAK', 'SIGHUP', 'SIGTERM'], []],
  ['win32', true, ['SIGINT', 'SIGBREAK', 'SIGHUP', 'SIGTERM'], []],
])('on %s, a terminal: %s, the signals %j stop and %j reload', (platform, onTerminal, stop, reload) => {
  expect(meantSignals(platform, { onTerminal })).toEqual({ stop, reload })
})

test('a signal after writeback stop is the first one, not the second', async () => {
  const ended: number[] = []
  let signal: (name: string) => void = () => {}
  const request = stopRequest({
    onStopSignal: (listener) => {
      signal = listener
      return () => {}
    },
    exitNow: (status) => ended.push(status),
  })
  request.ask('writeback stop')
  signal('SIGTERM')
  expect([await request.asked, ended]).toEqual(['writeback stop', []])
  signal('SIGTERM')
  expect(ended).toEqual([1])
})

test('signals are listened for until they are no longer wanted', () => {
  const heard: string[] = []
  const forget = listenForSignals(['SIGWINCH'], (signal) => heard.push(signal))
  process.emit('SIGWINCH', 'SIGWINCH')
  forget()
  process.emit('SIGWINCH', 'SIGWINCH')
  expect(heard).toEqual(['SIGWINCH'])
})
