// Requests that were being carried out when the process ended. Which of them ended it nobody knows, so they are carried out
// one at a time: then only the one that does it again is counted.

/** The one suspect that may be carried out now. */
export interface Suspects {
  /** False: another one is under way. */
  readonly enter: (requestId: string) => boolean
  readonly leave: (requestId: string) => void
}

/** Makes it; nobody is under way. */
export function createSuspects(): Suspects {
  let current: string | undefined
  return {
    enter: (requestId) => {
      current ??= requestId
      return current === requestId
    },
    leave: (requestId) => {
      if (current === requestId) current = undefined
    },
  }
}
