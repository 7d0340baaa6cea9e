// An agent that starts its private Redis and can be killed. argv: directory, where commands are looked for.
import { createPrivateRedis } from '../../../src/agent/queue/private-redis.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import { silentLogger } from '../../../src/telemetry/logger.ts'

const [directory = '', searchPath = ''] = process.argv.slice(2)
const redis = createPrivateRedis({ directory, searchPath, log: silentLogger, clock: systemClock })
await redis.start()
console.log(redis.pid())
setInterval(() => {}, 1000)
