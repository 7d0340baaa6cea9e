// Wakes whoever waits for something to change: long polls of agents and sealers, within this process.

/** One wait that was begun. `happened` never rejects. */
export interface Watch {
  readonly happened: Promise<void>
  readonly end: () => void
}

/** Begin a watch before looking at the state, and no change is missed. */
export interface Changes {
  readonly watch: (keys: readonly string[]) => Watch
  readonly announce: (key: string) => void
  /** Wakes everyone, now and from now on: the store stops. */
  readonly stop: () => void
  readonly isStopped: () => boolean
}

/** The key that a request's verdict is announced under. */
export const requestKey = (id: string): string => `request ${id}`
/** The key that new work of a directory is announced under. */
export const directoryKey = (name: string): string => `directory ${name}`
/** The key that a newer claim, or the revocation, of an agent is announced under. */
export const agentKey = (id: string): string => `agent ${id}`

/** Makes the switchboard of one store. */
export function createChanges(): Changes {
  const watching = new Map<string, Set<() => void>>()
  let isStopped = false

  function watch(keys: readonly string[]): Watch {
    let wake = () => {}
    const happened = new Promise<void>((resolve) => {
      wake = resolve
    })
    for (const key of keys) watching.set(key, (watching.get(key) ?? new Set()).add(wake))
    if (isStopped) wake()
    return { happened, end: () => forget(keys, wake) }
  }

  function forget(keys: readonly string[], wake: () => void): void {
    for (const key of keys) {
      const set = watching.get(key)
      set?.delete(wake)
      if (set?.size === 0) watching.delete(key)
    }
  }

  return {
    watch,
    announce: (key) => {
      for (const wake of watching.get(key) ?? []) wake()
    },
    stop: () => {
      isStopped = true
      for (const set of watching.values()) for (const wake of set) wake()
    },
    isStopped: () => isStopped,
  }
}
