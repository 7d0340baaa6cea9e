// Which signals of the operating system mean what. The platform is handed in, so that every choice is tried on one machine.

/** What a process can be told by a signal. */
export interface MeantSignals {
  /** The first one asks for an orderly stop, the second one ends the process at once. */
  readonly stop: readonly NodeJS.Signals[]
  /** Asks to read the configuration anew. */
  readonly reload: readonly NodeJS.Signals[]
}

type Stream = { readonly isTTY?: boolean }

/** True when a terminal is at either end: output to a file does not take the process off the terminal that it was started on. */
export const isOnTerminal = ({
  stdin,
  stdout,
}: {
  readonly stdin: Stream
  readonly stdout: Stream
}): boolean => stdin.isTTY === true || stdout.isTTY === true

/**
 * The signals of a platform. On Windows Node.js makes SIGINT of Ctrl-C, SIGBREAK of Ctrl-Break and SIGHUP of a console that is
 * closed, which leaves about ten seconds. Elsewhere SIGHUP asks for a reload, unless a terminal that is closed would send it.
 */
export function meantSignals(
  platform: NodeJS.Platform,
  { onTerminal }: { readonly onTerminal: boolean },
): MeantSignals {
  if (platform === 'win32') return { stop: ['SIGINT', 'SIGBREAK', 'SIGHUP', 'SIGTERM'], reload: [] }
  if (onTerminal) return { stop: ['SIGTERM', 'SIGINT', 'SIGHUP'], reload: [] }
  return { stop: ['SIGTERM', 'SIGINT'], reload: ['SIGHUP'] }
}

/** Listens for signals of this process; gives back how to stop listening. */
export function listenForSignals(
  signals: readonly NodeJS.Signals[],
  listener: (signal: string) => void,
): () => void {
  for (const signal of signals) process.on(signal, listener)
  return () => {
    for (const signal of signals) process.off(signal, listener)
  }
}
