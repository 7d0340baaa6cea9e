// Tells the store which password policies each directory applies, so that a page can show them before anybody types.
import type { PoliciesCall } from '../protocol/agent-calls.ts'
import { errorFields } from '../telemetry/logger.ts'
import type { AgentBase } from './agent-base.ts'

type Parts = Pick<AgentBase, 'directories' | 'client' | 'clock' | 'storeTime' | 'stopping' | 'log'>

// What did not change is repeated now and then: a store that was restored has lost it.
const REPEAT_MS = 600_000
// As many as the contract takes.
const MOST_POLICIES = 256

/** Makes the job: publishes what changed, and everything every ten minutes. It never rejects. */
export function createPolicyPublisher(parts: Parts): () => Promise<void> {
  const published = new Map<string, { readonly text: string; readonly atMs: number }>()

  async function publish(name: string): Promise<void> {
    const session = await parts.directories.get(name)?.directory.writer()
    if (!session) return
    const { policies, problems } = await session.readPolicies()
    const text = JSON.stringify([policies, problems])
    const known = published.get(name)
    const nowMs = parts.clock.monotonicMs()
    if (known?.text === text && nowMs - known.atMs < REPEAT_MS) return
    const readAt = Math.round(parts.storeTime.nowMs())
    const call: PoliciesCall = {
      readAt,
      policies: policies.slice(0, MOST_POLICIES),
      problems: problems.slice(0, MOST_POLICIES),
    }
    await parts.client.publishPolicies(name, call, parts.stopping.signal)
    published.set(name, { text, atMs: nowMs })
  }

  return async () => {
    await Promise.all(
      [...parts.directories.keys()].map((name) =>
        // A directory or a store that is away has its own condition.
        publish(name).catch((error: unknown) =>
          parts.log.debug('policies are not published yet', { directory: name, ...errorFields(error) }),
        ),
      ),
    )
  }
}
