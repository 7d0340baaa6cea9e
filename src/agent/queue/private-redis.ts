// The Redis that belongs to this agent: started by it, guarded by it, ended with it. Linux only.
import { rmSync } from 'node:fs'
import { createBackoff } from '../../clock/backoff.ts'
import type { Clock } from '../../clock/clock.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import { errorFields, type Logger } from '../../telemetry/logger.ts'
import { endLeftOver } from './end-left-over.ts'
import { type PrivateRedisFiles, putDataAway, writePrivateRedisFiles } from './private-redis-files.ts'
import type { RedisConnection } from './redis-connection.ts'
import { type RedisProcess, startRedisProcess } from './redis-process.ts'

/** What the private Redis needs. */
export interface PrivateRedisOptions {
  /** Its own directory below the state directory, which only one agent may use (the journal sees to that). */
  readonly directory: string
  readonly log: Logger
  readonly clock: Clock
  /** Where redis-server and setpriv are looked for. */
  readonly searchPath?: string
  /** How long a start may take, loading its file included. */
  readonly readyMs?: number
}

/** A running part. */
export interface PrivateRedis {
  /** Starts it and says how to reach it. Throws ERR_REDIS_START. */
  readonly start: () => Promise<RedisConnection>
  /** Ends it: politely, and after `limitMs` by force. */
  readonly stop: (limitMs?: number) => Promise<void>
  /** The pid of the running server; undefined while there is none. */
  readonly pid: () => number | undefined
}

const SYSTEM_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin'
const RESTART = { firstMs: 50, longestMs: 5000 }
// A server that lived this long did not die of its start.
const HEALTHY_MS = 10_000
const STOP_MS = 3000

/** Makes a private Redis; `start` runs it. When it dies it is started again, with growing pauses. */
export function createPrivateRedis(options: PrivateRedisOptions): PrivateRedis {
  const { log, clock } = options
  const stopping = new AbortController()
  let current: RedisProcess | undefined
  let guarding: Promise<void> = Promise.resolve()

  const guard = async (files: PrivateRedisFiles) => {
    const backoff = createBackoff(RESTART)
    while (current !== undefined) {
      const since = clock.monotonicMs()
      await current.ended
      current = undefined
      if (clock.monotonicMs() - since > HEALTHY_MS) backoff.reset()
      while (current === undefined && !stopping.signal.aborted) {
        const delayMs = backoff.next()
        log.warn('the private Redis ended and is started again', { delayMs: Math.round(delayMs) })
        await clock.sleep(delayMs, stopping.signal)
        if (stopping.signal.aborted) return
        current = await tryLaunch(files, options)
        if (stopping.signal.aborted) await current?.end(STOP_MS)
      }
    }
  }

  return {
    start: async () => {
      if (process.platform !== 'linux')
        throw new WritebackError(
          'ERR_REDIS_START',
          'a private Redis runs on Linux only: configure a Redis URL',
        )
      const files = writePrivateRedisFiles(options.directory)
      const leftOver = await endLeftOver(files.pid, files.config, clock)
      if (leftOver !== undefined) log.warn('a private Redis was left over and is replaced', { pid: leftOver })
      current = await launch(files, options)
      // A stop came while it started: nobody else ends it.
      if (stopping.signal.aborted) await current.end(STOP_MS)
      guarding = guard(files)
      return { path: files.socket, username: files.username, password: files.password }
    },
    stop: async (limitMs = STOP_MS) => {
      stopping.abort()
      await current?.end(limitMs)
      await guarding
    },
    pid: () => current?.pid,
  }
}

async function tryLaunch(
  files: PrivateRedisFiles,
  options: PrivateRedisOptions,
): Promise<RedisProcess | undefined> {
  try {
    return await launch(files, options)
  } catch (error) {
    options.log.error('the private Redis does not start', errorFields(error))
    return undefined
  }
}

/** Starts the server; if it gives up on its data, once more without them. The journal fills the queue again. */
async function launch(files: PrivateRedisFiles, options: PrivateRedisOptions): Promise<RedisProcess> {
  const { log, clock, searchPath = SYSTEM_PATH, readyMs = 10_000 } = options
  rmSync(files.socket, { force: true })
  const attempt = () => startRedisProcess(files, { log, clock, searchPath, readyMs })
  const first = await attempt()
  if (!('error' in first)) return first
  const away = first.ended ? putDataAway(files) : undefined
  if (away === undefined) throw first.error
  const second = await attempt()
  if ('error' in second) {
    away.undo()
    throw first.error
  }
  log.error('the data of the private Redis were damaged: moved away, the queue starts empty', {
    movedTo: away.to,
    ...errorFields(first.error),
  })
  return second
}
