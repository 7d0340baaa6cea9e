// One run of redis-server as a child of this process, from spawn until it answers.
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '../../clock/clock.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { PrivateRedisFiles } from './private-redis-files.ts'

/** A redis-server that answers. */
export interface RedisProcess {
  readonly pid: number
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  /** Ends it: politely, and after `limitMs` by force. */
  readonly end: (limitMs: number) => Promise<void>
}

/** The failure of a start; `ended`: the server gave up by itself, so its settings or its data are at fault. */
export interface FailedStart {
  readonly error: WritebackError
  readonly ended: boolean
}

const READY_POLL_MS = 4
const KEPT_LINES = 8

/** Starts redis-server on these files and waits until it answers. Never throws for a start that failed. */
export async function startRedisProcess(
  files: PrivateRedisFiles,
  options: { log: Logger; clock: Clock; searchPath: string; readyMs: number },
): Promise<RedisProcess | FailedStart> {
  const { clock, readyMs } = options
  const child = spawnRedis(files, options.searchPath)
  const lines = keepLastLines(child, options.log)
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  child.on('error', (error) => lines.push(error.message))
  if (child.pid === undefined) return { error: startError('it cannot be run', lines), ended: false }
  writeFileSync(files.pid, String(child.pid), { mode: 0o600 })
  const until = clock.monotonicMs() + readyMs
  while (child.exitCode === null && child.signalCode === null) {
    if (await answers(files))
      return { pid: child.pid, ended, end: (limitMs) => end(child, ended, limitMs, clock) }
    if (clock.monotonicMs() > until) {
      await end(child, ended, 0, clock)
      return { error: startError(`no answer in ${readyMs} ms`, lines), ended: false }
    }
    await clock.sleep(READY_POLL_MS)
  }
  await ended
  return { error: startError(`it ended with ${child.exitCode ?? child.signalCode}`, lines), ended: true }
}

function spawnRedis(files: PrivateRedisFiles, searchPath: string): ChildProcess {
  const server = find('redis-server', searchPath) ?? find('valkey-server', searchPath)
  if (server === undefined)
    throw new WritebackError(
      'ERR_REDIS_START',
      'redis-server is not installed (Debian and Ubuntu: apt-get install redis-server)',
    )
  // The kernel then ends Redis with the agent, also after kill -9.
  const bound = find('setpriv', searchPath)
  const argv = [...(bound === undefined ? [] : [bound, '--pdeathsig', 'TERM']), server, files.config]
  return spawn(argv[0] ?? server, argv.slice(1), {
    env: { PATH: searchPath, LC_ALL: 'C' },
    cwd: files.data,
    // In a group of its own: Ctrl-C in a terminal must not end it before the agent has drained.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function find(command: string, searchPath: string): string | undefined {
  return searchPath
    .split(':')
    .map((directory) => join(directory, command))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

function keepLastLines(child: ChildProcess, log: Logger): string[] {
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter((part) => part.trim() !== '')) {
        log.debug('the private Redis says', { line })
        lines.push(line.trim())
      }
      lines.splice(0, lines.length - KEPT_LINES)
    })
  return lines
}

function startError(what: string, lines: readonly string[]): WritebackError {
  const said = lines.length === 0 ? '' : `; it said: ${lines.join(' / ')}`
  return new WritebackError('ERR_REDIS_START', `redis-server does not start: ${what}${said}`, {
    retry: 'later',
  })
}

/** True when the socket takes our password and answers PING; loading is no answer yet. */
function answers(files: PrivateRedisFiles): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(files.socket)
    let reply = ''
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setEncoding('latin1').setTimeout(1000, () => settle(false))
    socket.on('error', () => settle(false)).on('close', () => settle(false))
    socket.on('connect', () => socket.write(`AUTH ${files.username} ${files.password}\r\nPING\r\n`))
    socket.on('data', (text) => {
      reply += text
      if (reply === '+OK\r\n+PONG\r\n') settle(true)
      else if (reply.includes('-')) settle(false)
    })
  })
}

async function end(child: ChildProcess, ended: Promise<void>, limitMs: number, clock: Clock): Promise<void> {
  child.kill('SIGTERM')
  const patience = new AbortController()
  await Promise.race([ended, clock.sleep(limitMs, patience.signal)])
  patience.abort()
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  await ended
}
