// The clock of the store: what ends by time ends also when nobody asks.
import { errorFields } from '../../telemetry/logger.ts'
import { inTime } from './close-overdue.ts'
import { createPurge } from './purge.ts'
import type { StoreContext } from './store-context.ts'

const SWEEP_EVERY_MS = 500
const FORGET_CALLS_EVERY_MS = 10_000

/** Sweeps at once and then every half second. `stop` waits for a sweep that runs. */
export function startSweeping(context: StoreContext): { readonly stop: () => Promise<void> } {
  const stopped = new AbortController()
  const running = sweepUntil(context, stopped.signal)
  return {
    stop: async () => {
      stopped.abort()
      await running
    },
  }
}

async function sweepUntil(context: StoreContext, signal: AbortSignal): Promise<void> {
  let forgetAt = context.clock.monotonicMs() + FORGET_CALLS_EVERY_MS
  const purge = createPurge(context.clock.monotonicMs)
  while (!signal.aborted) {
    const mustForget = context.clock.monotonicMs() >= forgetAt
    if (mustForget) forgetAt += FORGET_CALLS_EVERY_MS
    try {
      await inTime(context, async (records, now) => {
        if (mustForget) await records.forgetCalls(now)
        await purge(records, now)
      })
    } catch (error) {
      context.log.error('sweep failed', errorFields(error))
    }
    await context.clock.sleep(SWEEP_EVERY_MS, signal)
  }
}
