// Keeps the refused binds of the service account in the journal: an agent that is started again and again counts on.
import type { RefusalMemory } from './directory/bind-gate.ts'
import type { Journal } from './journal/journal.ts'

/** The memory of one directory. A journal that cannot be read or written is a memory that knows nothing. */
export function rememberRefusals(
  journal: () => Pick<Journal, 'get' | 'set'> | undefined,
  directory: string,
): RefusalMemory {
  const key = `bind_refusals ${directory}`
  return {
    read: () => {
      try {
        return journal()?.get(key)
      } catch {
        return undefined
      }
    },
    write: (refusals) => {
      try {
        journal()?.set(key, refusals)
      } catch {
        // This process goes on counting by itself.
      }
    },
  }
}
