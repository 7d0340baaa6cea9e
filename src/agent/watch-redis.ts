// Says when a Redis that somebody else runs was set so that it may drop jobs, or refuse what the queue needs.
import type { AgentConfig } from '../config/agent-config.ts'
import { isRetryable } from '../errors/writeback-error.ts'
import type { Conditions } from '../telemetry/conditions.ts'
import { failureLine } from '../telemetry/logger.ts'
import { checkRedis } from './queue/check-redis.ts'
import { readRedisUrl } from './queue/redis-url.ts'

/** Looks once, on a connection of its own. Called on the clock. A private Redis keeps the settings that the agent gave it. */
export async function watchRedis(
  { redis, passwordFile, caFile }: Pick<AgentConfig['queue'], 'redis' | 'passwordFile' | 'caFile'>,
  conditions: Pick<Conditions, 'raise' | 'clear'>,
): Promise<void> {
  if (redis === 'private') return
  try {
    await checkRedis(readRedisUrl({ url: redis, passwordFile, caFile }))
    conditions.clear('queue_at_risk', '')
  } catch (error) {
    // Of one that does not answer nothing new is known.
    if (!isRetryable(error)) conditions.raise('queue_at_risk', '', failureLine(error))
  }
}
