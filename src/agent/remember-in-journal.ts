// Keeps a text in the journal over restarts: the refused binds of the service account, the controllers that DNS named.
import type { Journal } from './journal/journal.ts'

/** The memory of one thing. */
export interface JournalMemory {
  /** What was written last; undefined: nothing, or it cannot be read. */
  readonly read: () => string | undefined
  /** undefined: there is nothing to keep any more. Never throws. */
  readonly write: (text: string | undefined) => void
}

/** Makes the memory. A journal that cannot be read or written is one that knows nothing. */
export function rememberInJournal(
  journal: () => Pick<Journal, 'get' | 'set'> | undefined,
  key: string,
): JournalMemory {
  return {
    read: () => {
      try {
        return journal()?.get(key)
      } catch {
        return undefined
      }
    },
    write: (text) => {
      try {
        journal()?.set(key, text)
      } catch {
        // This process knows it by itself.
      }
    },
  }
}
