// An agent's worker that dies while it processes its first request. argv: Redis URL, request id.
import { createQueue } from '../../../src/agent/queue/create-queue.ts'
import { readRedisUrl } from '../../../src/agent/queue/redis-url.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import { silentLogger } from '../../../src/telemetry/logger.ts'

const [url = '', requestId = ''] = process.argv.slice(2)
const queue = createQueue({
  agent: 'agent',
  directory: 'main',
  connection: readRedisUrl({ url }),
  concurrency: 1,
  log: silentLogger,
  clock: systemClock,
  conditions: { raise: () => {}, clear: () => {} },
  heartbeatMs: 30_000,
  openIds: () => [requestId],
  process: async (id) => {
    console.log(id)
    process.kill(process.pid, 'SIGKILL')
    return 'done'
  },
})
await queue.start()
