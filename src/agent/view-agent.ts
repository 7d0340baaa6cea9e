// Answers of the operators' socket, read from the parts.
import { VERSION } from '../protocol/version.ts'
import { isReady } from '../telemetry/conditions.ts'
import type { AgentBase } from './agent-base.ts'
import type { Queues } from './create-queues.ts'
import type { AgentViews } from './ops/describe-agent.ts'

/** Makes the views. `hasClaimed`: the store answered a claim since the start. */
export function viewAgent(base: AgentBase, queues: Queues, hasClaimed: () => boolean): AgentViews {
  const { conditions, directories, journal } = base
  const startedAt = base.clock.wallMs()
  const statuses = () =>
    [...directories.values()].map(({ directory }) => ({ name: directory.name, ...directory.status() }))
  const isAgentReady = () =>
    hasClaimed() && isReady(conditions.list()) && statuses().every(({ connected }) => connected)
  return {
    isReady: isAgentReady,
    conditions: conditions.list,
    closeBreaker: base.limits.closeBreaker,
    view: async () => ({
      version: VERSION,
      agent: base.enrolled.agent,
      ready: isAgentReady(),
      paused: base.isPaused(),
      startedAt,
      storeOffsetMs: base.storeTime.offsetMs() ?? null,
      requests: journal.counts(),
      queues: await queues.counts(),
      directories: statuses().map(({ name, connected, server = null, url = null, clockOffsetMs }) => ({
        ...{ name, connected, server, url },
        clockOffsetMs: clockOffsetMs === undefined ? null : Math.round(clockOffsetMs),
      })),
      conditions: conditions.list(),
    }),
  }
}
