// Looks into the private Redis of a running agent, as the agent's own user.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Redis } from 'ioredis'

/** Runs `work` on one connection; throws what connecting throws, at once. */
export async function withPrivateRedis<T>(
  stateDirectory: string,
  work: (redis: Redis) => Promise<T>,
): Promise<T> {
  const directory = path.join(stateDirectory, 'redis')
  const redis = new Redis({
    path: path.join(directory, 'redis.sock'),
    username: 'agent',
    password: readFileSync(path.join(directory, 'password'), 'utf8').trim(),
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

/** The names of all keys of the queues. */
export async function queueKeys(redis: Redis): Promise<string[]> {
  const found: string[] = []
  for await (const keys of redis.scanStream({ match: 'wb:*', count: 1_000 }))
    found.push(...(keys as string[]))
  return [...new Set(found)]
}
