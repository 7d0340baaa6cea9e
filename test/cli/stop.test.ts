// writeback stop against a socket that answers as the agent does, and which processes it takes for the agent.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import path from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { isAgentProcess } from '../../src/cli/agent-process.ts'
import { isOnTerminal } from '../../src/cli/process-signals.ts'
import { bareEnvironment } from '../servers/child-process.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { runWords } from './run-words.ts'
import { writeSampleConfig } from './sample-config.ts'

const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step()
})

/** A process that waits, with these words in its command line. */
async function waiting(...words: readonly string[]): Promise<number> {
  const node = [process.execPath, '-e', 'setInterval(() => {}, 1000)', '--', ...words]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...node], {
    env: bareEnvironment(),
    stdio: 'ignore',
  })
  cleanUp.push(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  return child.pid as number
}

test('the number of a process that is not the agent, as one in a container tells it, is not waited for', async () => {
  const directory = makeScratchDirectory()
  cleanUp.push(() => removeScratchDirectory(directory))
  const file = writeSampleConfig(directory)
  const pid = await waiting('other')
  const agent = createServer((_request, response) => {
    response.writeHead(200, { connection: 'close' }).end(JSON.stringify({ pid, deadlineMs: 100 }))
    agent.close()
  })
  cleanUp.push(() => agent.close())
  await new Promise<void>((resolve) => agent.listen(path.join(directory, 'ops.sock'), resolve))
  const { status, out } = await runWords(['stop', '--json', '--config', file])
  expect([status, JSON.parse(out)]).toEqual([0, { stopped: true, pid, seconds: expect.any(Number) }])
})

test('a process is taken for the agent by its command line', async () => {
  const pids = [
    await waiting('agent', '--config', 'agent.yaml'),
    await waiting('agent', '--config=agent.yaml'),
    await waiting('store', '--config', 'store.yaml'),
  ]
  expect(pids.map((pid) => isAgentProcess(pid, 'linux'))).toEqual([true, true, false])
  expect(isAgentProcess(pids[2] as number, 'darwin')).toBe(true)
})

test('a terminal at either end is one that may be closed', () => {
  const [terminal, file] = [{ isTTY: true }, {}]
  const ends = [
    { stdin: terminal, stdout: terminal },
    { stdin: terminal, stdout: file },
    { stdin: file, stdout: terminal },
    { stdin: file, stdout: file },
  ]
  expect(ends.map(isOnTerminal)).toEqual([true, true, true, false])
})
