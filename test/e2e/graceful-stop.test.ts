// The end of a real agent, whatever is down: within its deadline, with nothing lost; at once at a second signal; by signal or by
// writeback stop.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import type { Io } from '../../src/cli/io.ts'
import { listenForSignals, meantSignals } from '../../src/cli/process-signals.ts'
import { runProgram } from '../../src/cli/run-program.ts'
import { stopRequest } from '../../src/cli/stop-request.ts'
import { runWords } from '../cli/run-words.ts'
import { newPassword } from '../servers/canaries.ts'
import { guardGroup, isAlive, startReadyChild } from '../servers/child-process.ts'
import { nodeArguments } from '../servers/world-programs.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'

const DEADLINE_MS = 6_000
/** A loaded machine's own slowness. */
const SLACK_MS = 2_000
let world: World<'openldap'>

beforeAll(async () => {
  world = await startWorld({
    kind: 'openldap',
    proxied: false,
    // Far beyond the deadline: nothing may end in time only because something else gave up.
    directorySettings: '    operationTimeoutSeconds: 60\n    connectTimeoutSeconds: 60',
    agentSettings: `shutdownTimeoutSeconds: ${DEADLINE_MS / 1000}`,
  })
}, 60_000)
afterAll(() => world?.stop())
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
