// Ends open requests that no queue of this agent will ever carry out: their documents are invalid, or their directory is not
// configured any more.
import type { Journal } from './journal/journal.ts'
import type { InvalidRequest } from './writeback/conclude-invalid.ts'

/** What is needed of the neighbours. */
export interface StrangerParts {
  readonly journal: Pick<Journal, 'open' | 'openCount' | 'counts'>
  /** By name: those that this agent serves. */
  readonly directories: ReadonlyMap<string, unknown>
}

/**
 * Ends them; one that is over is not open any more, so it may be done as often as one likes. They were left by a process that
 * ended between accepting and refusing, or by a sync of the journal that failed there. Throws ERR_JOURNAL_UNUSABLE.
 */
export async function refuseStrangers(
  { journal, directories }: StrangerParts,
  refuse: (request: InvalidRequest, fault: string) => Promise<void>,
): Promise<void> {
  const served = [...directories.keys()].reduce((count, name) => count + journal.openCount(name), 0)
  // Most of the time there is none, and the documents need not be read.
  if (journal.counts().open === served) return
  for (const stranger of journal.open().filter(({ directory }) => !directories.has(directory)))
    await refuse(stranger, stranger.directory === '' ? INVALID : NOT_SERVED)
}

const INVALID = 'the document of the request is invalid'
const NOT_SERVED = 'the request is for a directory that this agent does not serve'
