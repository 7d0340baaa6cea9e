// Requests that an operator wants ended before anything is written. Each is ended by its own processing, which alone knows
// that nothing of it is under way.
import { end, type Step } from './step.ts'

/** The wishes to drop that stand now; in memory, because each is waited for. */
export interface Drops {
  /** From now on the request ends when it is looked at and nothing is in doubt. Gives back how to take that back. */
  readonly ask: (requestId: string, by: string) => () => void
  /** The step that ends it; undefined: nobody asked. */
  readonly find: (requestId: string) => Step | undefined
}

/** Makes it; nothing is dropped. */
export function createDrops(): Drops {
  const asked = new Map<string, string>()
  return {
    ask: (requestId, by) => {
      asked.set(requestId, by)
      return () => void asked.delete(requestId)
    },
    find: (requestId) => {
      const by = asked.get(requestId)
      if (by === undefined) return undefined
      return end({ outcome: 'failed', reason: 'dropped_by_operator' }, { detail: `dropped by ${by}` })
    },
  }
}
