// Every command of the product with its help, its lists, and its refusals; and starts that must be refused.
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { CanaryWorld } from './canary-world.ts'

const HELP = [
  [],
  ['agent'],
  ['enroll'],
  ['breaker'],
  ['breaker', 'close'],
  ['queue'],
  ...['list', 'show', 'retry', 'drop', 'pause', 'resume'].map((name) => ['queue', name]),
  ['board', 'token'],
  ...['status', 'stop', 'reload', 'config', 'audit', 'keys', 'service', 'completion'].map((name) => [name]),
  ['store'],
  ...['user', 'agent', 'server', 'policy', 'request', 'probe'].map((name) => ['store', name]),
  ...['list', 'run'].map((name) => ['store', 'probe', name]),
  ...['reset', 'change', 'unlock', 'inspect', 'show'].map((name) => ['store', 'request', name]),
]

const LISTS = [
  ['user', 'list'],
  ['user', 'list', '--json'],
  ['agent', 'list'],
  ['agent', 'list', '--json'],
  ['server', 'list'],
  ['probe', 'list'],
  ['policy', 'show', 'corp'],
  ['policy', 'show', 'corp', '--json'],
  ['pause'],
  ['resume'],
  ['enrolment-code', '--directory', 'corp'],
]

/** What the agent, its configuration and its record are asked. */
const ASKED = [
  ['status', '--json'],
  ['status'],
  ['config', 'check'],
  ['config', 'show'],
  ['audit', 'show'],
  ['audit', 'show', '--json'],
  ['audit', 'verify'],
  ['audit', 'export', '--format', 'cef'],
  ['keys', 'list'],
  ['keys', 'list', '--json'],
  ['reload', '--json'],
]

const NOBODYS_REQUEST = '0199c0de-0000-7000-8000-000000000001'

/** Runs all of them in one process; gives how many there were. */
export async function runEveryCommand({ commands, world, fresh }: CanaryWorld): Promise<number> {
  const config = ['--config', world.agentConfigFile]
  const [first, second] = [fresh('old password'), fresh('new password')]
  const wrongToken = path.join(world.directory, 'tmp', 'wrong-token')
  writeFileSync(wrongToken, fresh('store token'), { mode: 0o600 })
  const store = (...words: readonly string[]) => ['store', ...words, ...commands.place]
  const reset = store('request', 'reset', 'canary', '--password-stdin')
  const list = [
    ...HELP.map((words) => ({ words: [...words, '--help'] })),
    ...LISTS.map((words) => ({ words: store(...words) })),
    { words: ['no-such-command'] },
    { words: ['breaker', 'close', 'corp', ...config] },
    { words: ['breaker', 'close', 'nowhere', ...config] },
    ...['list', 'pause', 'resume'].map((name) => ({ words: ['queue', name, '--json', ...config] })),
    ...['show', 'retry', 'drop'].map((name) => ({ words: ['queue', name, NOBODYS_REQUEST, ...config] })),
    ...ASKED.map((words) => ({ words: [...words, ...config] })),
    { words: ['agent', ...config] },
    { words: ['agent', '--config', '/nowhere/agent.yaml'] },
    { words: ['enroll', ...config, '--name', 'again'], input: Buffer.from('not-a-code') },
    { words: store('request', 'reset', 'nobody', '--password-stdin'), input: first },
    { words: store('request', 'change', 'canary', '--password-stdin'), input: first },
    { words: [...reset, '--generate'], input: second },
    { words: reset, input: Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), second]) },
    { words: reset, input: Buffer.concat([Buffer.from([0xff]), second]) },
    { words: reset, input: Buffer.concat(Array.from({ length: 400 }, () => second)) },
    { words: [...store('user', 'list'), '--token-file', wrongToken] },
  ]
  const { status, text } = await commands.several(list)
  rmSync(wrongToken)
  for (const sign of ['ERR_JOURNAL_IN_USE', 'ERR_USAGE', 'ERR_STORE_REJECTED', 'ERR_CONFIG_'])
    if (!text.includes(sign)) throw new Error(`no command said ${sign}, status ${status}: ${text}`)
  return list.length
}

const DEBUGGING: readonly Readonly<Record<string, string>>[] = [
  { NODE_DEBUG: 'http,https,net,tls,stream,child_process' },
  { DEBUG: '*' },
  { SSLKEYLOGFILE: 'keys.log' },
  { NODE_OPTIONS: '--tls-keylog=keys.log' },
  { NODE_OPTIONS: '--report-on-fatalerror' },
]

/** Starts the programs with what would make them talk; gives how many were refused. Throws when one is not. */
export async function refuseDebugging(canary: CanaryWorld): Promise<number> {
  const { commands, world, fresh } = canary
  const input = fresh('new password')
  const runs = DEBUGGING.flatMap((env) => [
    () => commands.run(['agent', '--config', world.agentConfigFile], { env, isDebugging: true }),
    () =>
      commands.store(['request', 'reset', 'canary', '--password-stdin'], { env, input, isDebugging: true }),
  ])
  await fewAtATime(
    runs.map((run) => async () => {
      const { text } = await run()
      if (!text.includes('ERR_RUNTIME_UNSAFE')) throw new Error(`not refused: ${text}`)
    }),
  )
  return runs.length
}

async function fewAtATime(runs: readonly (() => Promise<unknown>)[]): Promise<void> {
  const left = [...runs]
  const work = async () => {
    for (let run = left.shift(); run; run = left.shift()) await run()
  }
  await Promise.all(Array.from({ length: 3 }, work))
}
