// Tells the store how the agent is, and learns the store's time and its pause from the answer.
import type { HeartbeatAnswer } from '../protocol/agent-calls.ts'
import { VERSION } from '../protocol/version.ts'
import type { AgentBase } from './agent-base.ts'
import type { Timed } from './store-client/create-store-client.ts'

const MOST_CONDITIONS = 64

/** Sends one heartbeat. Throws as the store client does. */
export async function sendHeartbeat(parts: AgentBase, signal: AbortSignal): Promise<Timed<HeartbeatAnswer>> {
  const open = parts.journal.openLeases().length
  const timed = await parts.client.heartbeat(
    {
      version: VERSION,
      conditions: parts.conditions
        .list()
        .slice(0, MOST_CONDITIONS)
        .map(({ code, severity, since, dependsOn }) => ({
          ...{ code, severity, since },
          ...(dependsOn.length === 0 ? {} : { dependsOn: [...dependsOn] }),
        })),
      queueDepth: open,
      storeOffsetMs: parts.storeTime.offsetMs() ?? null,
      sealingKeyIds: parts.keys.sealingKeys.map(({ publicKey }) => publicKey.kid),
      directories: [...parts.directories.values()].map(({ directory }) => {
        const { connected, server, clockOffsetMs } = directory.status()
        return {
          name: directory.name,
          connected,
          server: server ?? null,
          clockOffsetMs: clockOffsetMs === undefined ? null : Math.round(clockOffsetMs),
        }
      }),
    },
    signal,
  )
  parts.storeTime.observe({ ...timed, storeTime: timed.answer.storeTime })
  return timed
}
