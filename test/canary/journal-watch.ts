// The write-ahead log of the journal, looked at again and again: it is cut at each start of the agent, and what passed
// through it before would not be searched.
import { readFileSync } from 'node:fs'
import path from 'node:path'

/** A running look-out. */
export interface JournalWatch {
  /** What the log held, one piece for each time that it was begun. */
  readonly logs: () => readonly Buffer[]
  readonly stop: () => void
}

const EVERY_MS = 200
// Its salts stand there, and are new whenever the log begins anew; until then it only grows.
const HEADER_BYTES = 32

/** Watches the journal in this directory. */
export function watchJournal(stateDirectory: string, everyMs = EVERY_MS): JournalWatch {
  const file = path.join(stateDirectory, 'journal.sqlite-wal')
  const seen = new Map<string, Buffer>()
  const look = () => {
    try {
      const bytes = readFileSync(file)
      if (bytes.length > HEADER_BYTES) seen.set(bytes.toString('latin1', 0, HEADER_BYTES), bytes)
    } catch {
      // The agent has ended, and the log with it.
    }
  }
  const timer = setInterval(look, everyMs).unref()
  return { logs: () => [...seen.values()], stop: () => clearInterval(timer) }
}
