// Whether a Redis can hold the queue: asked once at start, so that a wrong setting is a sentence and not a riddle later.
import type { Redis } from 'ioredis'
import { WritebackError } from '../../errors/writeback-error.ts'
import {
  bounded,
  COMMAND_LIMIT_MS,
  createClient,
  type RedisConnection,
  unreachable,
} from './redis-connection.ts'

/** What a suitable Redis said about itself. */
export interface RedisFacts {
  readonly version: string
  /** False: a restart of Redis empties the queue, and the agent fills it again from its journal. */
  readonly appendOnly: boolean
}

const OLDEST = [6, 2] as const

// Every kind of value the queue uses, and the packing its scripts need.
const TRIAL = `
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'a', 1)
  redis.call('HGET', KEYS[1], 'a')
  redis.call('DEL', KEYS[1])
  redis.call('RPUSH', KEYS[1], cmsgpack.pack({'a'}))
  redis.call('LREM', KEYS[1], 1, 'b')
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], 1, 'a')
  redis.call('ZRANGE', KEYS[1], 0, -1)
  redis.call('DEL', KEYS[1])
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', 1, '*', 'a', 'b')
  redis.call('PEXPIRE', KEYS[1], 1000)
  return redis.call('DEL', KEYS[1])
`

/**
 * Checks version, eviction policy and the needed commands.
 * Throws ERR_REDIS_UNSUITABLE naming the fault, ERR_REDIS_UNREACHABLE when there is no answer.
 */
export async function checkRedis(
  connection: RedisConnection,
  limitMs: number = COMMAND_LIMIT_MS,
): Promise<RedisFacts> {
  const client = createClient(connection, 'once')
  let lastError: unknown
  client.on('error', (error) => {
    lastError = error
  })
  try {
    return await bounded(`check Redis at ${whereIs(connection)}`, limitMs, examine(client))
  } catch (error) {
    throw refusal(lastError) ?? refusal(error) ?? withCause(error, lastError)
  } finally {
    client.disconnect()
  }
}

/** The address for messages. */
function whereIs(connection: RedisConnection): string {
  return connection.path ?? `${connection.host}:${connection.port}`
}

async function examine(client: Redis): Promise<RedisFacts> {
  await client.connect()
  const info = await client.info()
  const version = field(info, 'redis_version') ?? '0.0'
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    throw unsuitable(`version ${version} is older than ${OLDEST.join('.')}`)
  const policy = field(info, 'maxmemory_policy')
  if (policy !== 'noeviction')
    throw unsuitable(`maxmemory-policy is ${policy ?? 'not told'}, it must be noeviction`)
  await client.eval(TRIAL, 1, 'wb:check')
  await client.zadd('wb:check', 1, 'a')
  await client.bzpopmin('wb:check', 1)
  return { version, appendOnly: field(info, 'aof_enabled') === '1' }
}

function field(info: string, name: string): string | undefined {
  return info.match(new RegExp(`^${name}:(\\S+)`, 'm'))?.[1]
}

function unsuitable(fault: string, cause?: unknown): WritebackError {
  return new WritebackError('ERR_REDIS_UNSUITABLE', `Redis cannot be used: ${fault}`, { cause })
}

// States that pass by themselves.
const PASSING = /^(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)/

/** What Redis itself refused, found among the causes; undefined when no reply of it is among them. */
function refusal(error: unknown): WritebackError | undefined {
  let at = error as { name?: unknown; message?: unknown; cause?: unknown } | undefined
  for (; at?.message !== undefined; at = at.cause as typeof at) {
    if (at instanceof WritebackError && at.code === 'ERR_REDIS_UNSUITABLE' && at.cause === undefined)
      return at
    const message = String(at.message)
    if (/^(WRONGPASS|NOAUTH|ERR AUTH|ERR invalid password)/.test(message))
      return unsuitable('it refuses this user name and password', at)
    if (at.name === 'ReplyError' && !PASSING.test(message))
      return unsuitable(`this user may not run what the queue needs (${message})`, at)
  }
  return undefined
}

function withCause(error: unknown, lastError: unknown): WritebackError {
  const { message } = error as Error
  return unreachable(message, lastError ?? (error as Error).cause)
}
