// Says when the clocks of host and store differ too much for any write, or the store's time is not known.
import type { AgentBase } from './agent-base.ts'

/**
 * Compares the clocks as they are known now. Called on the clock. `ask` gets a fresh reading of the store's time, for which
 * writes wait after a step of this host's clock.
 */
export async function watchClock(
  { storeTime, conditions }: Pick<AgentBase, 'storeTime' | 'conditions'>,
  ask: () => Promise<void>,
): Promise<void> {
  if (!storeTime.isComparable()) await ask().catch(() => {})
  if (storeTime.isSkewed())
    conditions.raise('clock_skew', '', `the store's clock differs by ${storeTime.offsetMs() ?? 0} ms`)
  else conditions.clear('clock_skew', '')
  if (storeTime.isUncertain() && !storeTime.isSkewed())
    conditions.raise('store_time_unknown', '', 'no quick answer came')
  else conditions.clear('store_time_unknown', '')
}
