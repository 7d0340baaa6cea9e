// What the environment cannot do to the program: switch certificate checks off, or open a debugger.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { bareEnvironment, runCommand } from '../servers/child-process.ts'
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
