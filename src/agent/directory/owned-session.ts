// A session as its owner sees it: what keeps it true, beside what the rest of the agent uses.
import type { ConnectionSettings } from './bound-channel.ts'
import type { WriterSession } from './directory.ts'

/** A session with what its owner needs to keep it true. */
export interface OwnedSession extends WriterSession {
  /** False once a connection died or the server turned out to be another: ask again who the writer is. */
  readonly isSound: () => boolean
  /** Directory clock minus wall clock of this host, milliseconds. */
  readonly clockOffsetMs: () => number
  /** Reads clock and role again when that is due. Marks the session unsound when it fails. */
  readonly refresh: () => Promise<void>
  /** Lets what is under way finish, then closes. */
  readonly retire: () => void
  readonly stop: () => void
}

/** What the search for a writer needs beside the configuration. */
export interface WriterSearch {
  readonly settings: ConnectionSettings
  /** Where the last writer was: most likely the next one, and a dead server before it would cost its whole deadline. */
  readonly lastUrl: string | undefined
  /** Ends the search before the next server. */
  readonly signal: AbortSignal
}
