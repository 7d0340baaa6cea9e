// What a host does to a running agent: one true outcome and one effect each time, and nothing it cannot come back from.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { isPasswordWrite, passwordWrites } from '../e2e/password-writes.ts'
import { laterPassword, newPassword } from '../servers/canaries.ts'
import { runCommand, startReadyChild } from '../servers/child-process.ts'
import type { RequestFault } from '../servers/ldap-faults.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { answers } from '../servers/world-programs.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'

const STRIKE_BUILD = path.resolve(import.meta.dirname, '../test-build/strike-build.ts')
const HOUR_MS = 3_600_000
let world: World<'openldap'>
let proxy: LdapProxy
let users = 0

beforeAll(async () => {
  world = await startWorld({
    kind: 'openldap',
    directorySettings: '    operationTimeoutSeconds: 3\n    connectTimeoutSeconds: 2',
    agentImports: [STRIKE_BUILD],
    agentEnv: { NODE_OPTIONS: '--max-old-space-size=160' },
  })
  proxy = world.proxy as LdapProxy
}, 60_000)
afterAll(() => world.stop())

const newUser = (): Promise<WorldUser> => {
  users += 1
  return world.createUser({ name: `host${users}` })
}

/** Lets the agent suffer something, such as `block 4500`. */
function strike(what: string): void {
  writeFileSync(`${world.agentConfigFile}.strike`, what)
  process.kill(world.agent.pid(), 'SIGUSR2')
}

/** Begins a reset and returns when its write has met `fault`. */
async function inTheWrite(fault: RequestFault): Promise<{ user: WorldUser; request: string }> {
  const user = await newUser()
  proxy.forget()
  const rule = proxy.onRequest(isPasswordWrite, fault)
  const request = await world.ask(user, newPassword())
  await rule.hit
  return { user, request }
}

async function expectOneEffect({ user, request }: Awaited<ReturnType<typeof inTheWrite>>): Promise<void> {
  expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
  expect(passwordWrites(proxy, user)).toEqual({ sent: 1, accepted: 1 })
  expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
}

async function ended(withinMs: number): Promise<void> {
  const end = performance.now() + withinMs
  while (world.agent.isRunning() && performance.now() < end) await sleep(20)
  expect(world.agent.isRunning()).toBe(false)
}

const conditions = async (): Promise<readonly string[]> => {
  const { json } = await world.ops('/status')
  return (json as { conditions: { code: string }[] }).conditions.map(({ code }) => code)
}

test('a second SIGTERM in the middle of a write ends the agent at once, and the next start tells the truth [second_sigterm]', async () => {
  const one = await inTheWrite({ kind: 'delay-response', ms: 10_000 })
  const status = world.agent.stop()
  await sleep(200)
  expect(world.agent.isRunning()).toBe(true)
  const begun = performance.now()
  process.kill(world.agent.pid(), 'SIGTERM')
  expect(await status).toBe(1)
  expect(performance.now() - begun).toBeLessThan(2_900)
  await world.agent.start()
  await expectOneEffect(one)
}, 60_000)

test.each([
  ['exhaust', 'JavaScript heap out of memory'],
  ['reject', 'nobody waits for this'],
])(
  'an agent that dies of itself in the middle of a write (%s) says why, and the next start tells the truth [out_of_memory, unhandled_rejection]',
  async (what, words) => {
    const one = await inTheWrite({ kind: 'delay-response', ms: 2_500 })
    strike(what)
    await ended(20_000)
    expect(world.agent.output()).toContain(words)
    await world.agent.start()
    await expectOneEffect(one)
  },
  60_000,
)

// A tenth of the 45 s that matter for a lease; that time is passed by the pauses of the crash matrix.
test('an agent in which nothing runs for longer than an operation may take sees the answer or the marker [event_loop_blocked]', async () => {
  const pid = world.agent.pid()
  const one = await inTheWrite({ kind: 'delay-response', ms: 300 })
  strike('block 4500')
  await expectOneEffect(one)
  expect(world.agent.pid()).toBe(pid)
  expect(await world.reset(one.user, laterPassword())).toMatchObject({ outcome: 'applied' })
}, 60_000)

test('a second agent on the same state directory does not start and does not disturb the first [double_start]', async () => {
  const one = await inTheWrite({ kind: 'delay-response', ms: 1_500 })
  await expect(runCommand(process.execPath, world.agent.command.words)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('ERR_JOURNAL_IN_USE'),
  })
  await expectOneEffect(one)
  const next = await newUser()
  expect(await world.reset(next, newPassword())).toMatchObject({ outcome: 'applied' })
}, 60_000)

test.each([
  ['ahead', HOUR_MS],
  ['behind', -HOUR_MS],
])(
  'an hour %s in the middle of a write: that one ends true, and nothing is written until the clock is right again [clock_hour_ahead, clock_hour_behind, clock_jumps_mid_write]',
  async (_, ms) => {
    const one = await inTheWrite({ kind: 'delay-response', ms: 800 })
    strike(`shift ${ms}`)
    await expectOneEffect(one)
    const user = await newUser()
    // Before it has heard the store, an agent whose clock went ahead takes the request for expired.
    const { outcome } = await world.reset(user, newPassword())
    strike('shift 0')
    expect(['failed', 'expired']).toContain(outcome)
    expect(passwordWrites(proxy, user).sent).toBe(0)
    const end = performance.now() + 30_000
    while ((await conditions()).includes('clock_skew') && performance.now() < end) await sleep(100)
    expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
  },
  90_000,
)

test('an agent that can open nothing more waits, and goes on when it can [no_file_descriptors]', async () => {
  const pid = world.agent.pid()
  const open = readdirSync(`/proc/${pid}/fd`).length
  proxy.disconnectAll()
  await sleep(200)
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${Math.max(8, open - 8)}:`])
  const user = await newUser()
  proxy.forget()
  const request = await world.ask(user, newPassword())
  expect(await world.verdict(request, 3_000)).toMatchObject({ outcome: null })
  expect(world.agent.isRunning()).toBe(true)
  execFileSync('prlimit', ['--pid', String(pid), '--nofile=1024:'])
  await expectOneEffect({ user, request })
  expect(world.agent.pid()).toBe(pid)
}, 60_000)

test('an agent whose log cannot be written goes on all the same [disk_full_log]', async () => {
  await world.agent.stop()
  const output = path.join(world.directory, 'full.log')
  const child = await startAgent(
    'sh',
    ['-c', 'exec "$0" "$@" >/dev/full 2>&1', process.execPath, ...world.agent.command.words],
    output,
  )
  try {
    const user = await newUser()
    proxy.forget()
    const request = await world.ask(user, newPassword())
    await expectOneEffect({ user, request })
    expect(child.isRunning()).toBe(true)
  } finally {
    await child.end('SIGTERM')
  }
  expect(await child.exited).toBe(0)
  await world.agent.start()
}, 60_000)

/** Starts the agent in another way than the world does. */
const startAgent = (command: string, args: readonly string[], outputFile: string) =>
  startReadyChild({ command, args, outputFile, env: world.agent.command.env }, () =>
    answers(httpRequest, { socketPath: path.join(world.agent.stateDirectory, 'ops.sock'), path: '/readyz' }),
  )

test('an agent that runs by --allow-debug says for as long as it runs that passwords are not safe', async () => {
  await world.agent.stop()
  const words = ['DEBUG=nothing', process.execPath, ...world.agent.command.words, '--allow-debug']
  const child = await startAgent('env', words, path.join(world.directory, 'allow-debug.log'))
  try {
    const user = await newUser()
    proxy.forget()
    const request = await world.ask(user, newPassword())
    await expectOneEffect({ user, request })
    const { json } = await world.agent.ops('/status')
    expect((json as { conditions: unknown[] }).conditions).toContainEqual(
      expect.objectContaining({ code: 'unsafe_runtime', detail: 'the environment variable DEBUG is set' }),
    )
  } finally {
    await child.end('SIGTERM')
  }
  await world.agent.start()
}, 60_000)

// A mount of its own: everything that is temporary is read-only, save what the world itself keeps there.
const READ_ONLY_TMP = `
mount --bind "$1" "$1" && mount --bind "$0" "$0" && mount -o remount,bind,ro "$1" || exit 9
touch "$1/written" 2>/dev/null && exit 8
shift
exec "$@"
`

test('an agent whose temporary directory is read-only works [tmp_read_only]', async () => {
  await world.agent.stop()
  const own = process.getuid?.() === 0 ? '-m' : '-rm'
  const output = path.join(world.directory, 'read-only.log')
  const temporary = path.dirname(world.directory)
  const words = [own, 'env', `TMPDIR=${temporary}`, 'sh', '-c', READ_ONLY_TMP, world.directory, temporary]
  const child = await startAgent(
    'unshare',
    [...words, process.execPath, ...world.agent.command.words],
    output,
  )
  try {
    const user = await newUser()
    proxy.forget()
    const request = await world.ask(user, newPassword())
    await expectOneEffect({ user, request })
  } finally {
    await child.end('SIGTERM')
  }
  expect(existsSync(path.join(path.dirname(world.directory), 'written'))).toBe(false)
  await world.agent.start()
}, 60_000)

test('a second that is repeated changes nothing [leap_second]', async () => {
  const one = await inTheWrite({ kind: 'delay-response', ms: 600 })
  strike('shift -1000')
  await expectOneEffect(one)
  const two = await inTheWrite({ kind: 'delay-response', ms: 600 })
  strike('shift 0')
  await expectOneEffect(two)
  expect(await conditions()).not.toContain('clock_skew')
}, 60_000)
