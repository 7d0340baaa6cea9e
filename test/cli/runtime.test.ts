// What the environment cannot do to the program: switch certificate checks off, or open a debugger.
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { findUnsafeRuntime, type RuntimeFacts } from '../../src/cli/unsafe-runtime.ts'
import { bareEnvironment, runCommand } from '../servers/child-process.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { testCa } from '../servers/test-ca.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const MAIN = path.join(ROOT, 'src/main.ts')

// A server with a stranger's certificate, and both ways out of the agent against it; prints the code of each refusal.
const PROBE = `
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
const [certFile, keyFile, caFile] = process.argv.slice(1)
const { connectTls } = await import('${ROOT}/src/agent/directory/tls-socket.ts')
const { createTlsTrust } = await import('${ROOT}/src/agent/directory/tls-trust.ts')
const { parseEndpoint } = await import('${ROOT}/src/agent/directory/server-endpoint.ts')
const { createStoreTransport } = await import('${ROOT}/src/agent/store-client/store-transport.ts')
const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (_, answer) => answer.end('{}'))
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address()
const trust = createTlsTrust({ ca: [readFileSync(caFile, 'utf8')] })
const codeOf = (promise) => promise.then(() => 'connected', (error) => error.code ?? error.cause?.code ?? error.message)
const ldaps = await codeOf(connectTls(parseEndpoint('ldaps://127.0.0.1:' + port), trust, 3000))
const { fetch } = createStoreTransport({ caFile, env: {} })
const https = await codeOf(fetch('https://127.0.0.1:' + port, { method: 'GET', headers: {}, redirect: 'manual', signal: AbortSignal.timeout(3000) }))
console.log(JSON.stringify({ ldaps, https }))
process.exit(0)
`

test('an environment variable does not switch off the certificate checks of the agent', async () => {
  const { stranger, caFile } = await testCa()
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
    '-e',
    PROBE,
    stranger.certFile,
    stranger.keyFile,
    caFile,
  ]
  const said = await runCommand(process.execPath, args, {
    env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    cwd: ROOT,
  })
  expect(JSON.parse(said.trim().split('\n').at(-1) ?? '')).toEqual({
    ldaps: 'ERR_DIRECTORY_TLS',
    https: expect.stringMatching(/CERT|SIGN|ISSUER|VERIFY/),
  })
})

test.each(['agent', 'enroll'])('%s does not start while that variable is set', async (command) => {
  const run = runCommand(process.execPath, [MAIN, command, '--config', '/nowhere'], {
    env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
  })
  await expect(run).rejects.toThrow(/ERR_RUNTIME_UNSAFE/)
})

test.each([
  { mode: 0o700, kept: ['compile-cache'] },
  { mode: 0o770, kept: [] },
])(
  'compiled code is kept from the first line on, in a state directory of mode $mode: $kept',
  async ({ mode, kept }) => {
    const directory = makeScratchDirectory()
    mkdirSync(path.join(directory, 'state'))
    chmodSync(path.join(directory, 'state'), mode)
    // Faulty, so that it ends where the configuration is judged.
    writeFileSync(path.join(directory, 'agent.yaml'), 'stateDirectory: "state" # here\n')
    const agent = [process.execPath, MAIN, 'agent', '--config', path.join(directory, 'agent.yaml')]
    const run = runCommand('env', ['-u', 'NODE_COMPILE_CACHE', ...agent])
    await expect(run).rejects.toThrow(/ERR_CONFIG_INVALID/)
    expect(readdirSync(path.join(directory, 'state'))).toEqual(kept)
    await removeScratchDirectory(directory)
  },
)

/** Runs the agent on a configuration that is not there; gives its exit status and what it said. */
async function runAgent(words: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--report-on-signal', MAIN, 'agent', ...words],
    { env: { ...bareEnvironment(), ...env }, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (part: Buffer) => {
    said += part.toString()
  })
  const status = await new Promise((resolve) => child.once('close', resolve))
  return { status, said }
}

test('with --allow-debug the agent starts where it would refuse to, and warns of each danger by its name', async () => {
  const words = ['--config', '/nowhere/agent.yaml']
  const refused = await runAgent(words, { DEBUG: 'a-secret-value' })
  expect(refused).toEqual({ status: 1, said: expect.stringContaining('ERR_RUNTIME_UNSAFE') })
  const { status, said } = await runAgent([...words, '--allow-debug'], { DEBUG: 'a-secret-value' })
  const warning = 'writeback: WARNING: passwords are not safe in this process, by --allow-debug:'
  expect(said.split('\n').filter((line) => line.startsWith(warning))).toEqual([
    `${warning} the environment variable DEBUG is set`,
    `${warning} Node.js runs with --report-on-signal`,
  ])
  // It went on, and found no configuration.
  expect(said).toContain('ERR_CONFIG_UNREADABLE')
  expect(status).toBe(2)
  expect(refused.said + said).not.toContain('a-secret-value')
})

const LIMITS = (core: string) => `Limit                     Soft Limit           Hard Limit           Units
Max stack size            8388608              unlimited            bytes
Max core file size        ${core.padEnd(20)} unlimited            bytes
`
const SAFE = { debuggerUrl: undefined, limits: LIMITS('0') }

test.each<[string, string[], Record<string, string>, Partial<RuntimeFacts>, string[]]>([
  [
    'nothing',
    ['--disable-warning=ExperimentalWarning', '--max-old-space-size=200'],
    { NODE_OPTIONS: '--enable-source-maps' },
    {},
    [],
  ],
  ['a debugger that is open', [], {}, { debuggerUrl: 'ws://127.0.0.1:9229/x' }, ['a debugger is open']],
  ['a core dump', [], {}, { limits: LIMITS('unlimited') }, [expect.stringContaining('LimitCORE=0') as never]],
  [
    'a small core dump',
    [],
    {},
    { limits: LIMITS('4096') },
    [expect.stringContaining('ulimit -c 0') as never],
  ],
  ['no limits to read', [], {}, { limits: undefined }, []],
  ...[
    '--abort-on-uncaught-exception',
    '--heapsnapshot-signal',
    '--heapsnapshot-near-heap-limit',
    '--report-on-fatalerror',
    '--report-uncaught-exception',
    '--tls-keylog',
    '--inspect-brk',
    '--experimental-config-file',
    '--experimental-default-config-file',
  ].map((option): [string, string[], Record<string, string>, Partial<RuntimeFacts>, string[]] => [
    option,
    [],
    { NODE_OPTIONS: `--enable-source-maps "${option.replaceAll('-', '_').replace('__', '--')}=x"` },
    {},
    [`Node.js runs with ${option}`],
  ]),
  [
    'several',
    ['--report-on-signal'],
    { NODE_DEBUG: 'secret', DEBUG: '*' },
    {},
    [
      'the environment variable NODE_DEBUG is set',
      'the environment variable DEBUG is set',
      'Node.js runs with --report-on-signal',
    ],
  ],
])('what the program finds unsafe: %s', (_what, execArgv, env, facts, found) => {
  expect(findUnsafeRuntime({ env, execArgv }, { ...SAFE, ...facts })).toEqual(found)
})

/** Runs the enrolment command, which waits for a code, where a crash may leave core dumps up to `core` bytes. */
async function waitingProgram(directory: string, core: string, env: Record<string, string> = {}) {
  const config = path.join(ROOT, 'config/agent.example.yaml')
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', MAIN, 'enroll', '--config', config]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'prlimit', `--core=${core}:`, ...node], {
    env: { ...bareEnvironment(), ...env },
    cwd: directory,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (part: Buffer) => {
    said += part.toString()
  })
  const ended = new Promise<string | number>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code ?? '')),
  )
  return { child, ended, said: () => said }
}

test('where a crash would leave a core dump, the program does not start', async () => {
  const directory = makeScratchDirectory()
  const { ended, said, child } = await waitingProgram(directory, 'unlimited')
  expect(await ended).toBe(1)
  expect(said()).toMatch(/ERR_RUNTIME_UNSAFE.*LimitCORE=0/)
  child.stdin.end()
  await removeScratchDirectory(directory)
})

test.each([
  ['SIGABRT', {}],
  ['SIGQUIT', {}],
  // As a defect in Node.js or an addon would end it.
  ['process.abort()', { NODE_OPTIONS: '--import data:text/javascript,setTimeout(process.abort,1500)' }],
])('%s leaves no core dump, report or snapshot', async (how, env) => {
  const directory = makeScratchDirectory()
  const { child, ended } = await waitingProgram(directory, '0', env as Record<string, string>)
  if (how.startsWith('SIG')) {
    await sleep(1_500)
    child.kill(how as NodeJS.Signals)
  }
  expect(await ended).toBe(how === 'SIGQUIT' ? 'SIGQUIT' : 'SIGABRT')
  expect(readdirSync(directory)).toEqual([])
  await removeScratchDirectory(directory)
})

test('SIGUSR1 opens no debugger', async () => {
  const config = path.join(ROOT, 'config/agent.example.yaml')
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', MAIN, 'enroll', '--config', config],
    { env: bareEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (part: Buffer) => {
    said += part.toString()
  })
  await sleep(1_500)
  child.kill('SIGUSR1')
  await sleep(500)
  expect([child.exitCode, child.signalCode, said]).toEqual([null, null, ''])
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.stdin.end('not a code')
  await ended
  expect(said).not.toMatch(/[Dd]ebugger/)
  expect(said).toContain('ERR_USAGE')
})
