// Requests that were being carried out when the process ended. Which of them ended it nobody knows, so they are carried out
// one at a time: then only the one that does it again is counted. Directories do not wait for each other here either.

/** One request, of one directory. */
interface Suspect {
  readonly requestId: string
  readonly directory: string
}

/** The one suspect of each directory that may be carried out now. */
export interface Suspects {
  /** False: another one is under way. */
  readonly enter: (suspect: Suspect) => boolean
  readonly leave: (suspect: Suspect) => void
}

/** Makes it; nobody is under way. */
export function createSuspects(): Suspects {
  const current = new Map<string, string>()
  return {
    enter: ({ requestId, directory }) => {
      if (!current.has(directory)) current.set(directory, requestId)
      return current.get(directory) === requestId
    },
    leave: ({ requestId, directory }) => {
      if (current.get(directory) === requestId) current.delete(directory)
    },
  }
}
