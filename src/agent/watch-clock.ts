// Says when the clocks of host and store differ too much for any write, or the store's time is not known.
import type { AgentBase } from './agent-base.ts'

/** Compares the clocks as they are known now. Called on the clock. */
export function watchClock({ storeTime, conditions }: Pick<AgentBase, 'storeTime' | 'conditions'>): void {
  if (storeTime.isSkewed())
    conditions.raise('clock_skew', '', `the store's clock differs by ${storeTime.offsetMs() ?? 0} ms`)
  else if (storeTime.isUncertain())
    conditions.raise('clock_skew', '', 'the time of the store is not known: no quick answer came')
  else conditions.clear('clock_skew', '')
}
