// What a command may touch of the process it runs in. Only main.ts reads the real ones.

/** The outside of one run. */
export interface Io {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly execArgv: readonly string[]
  readonly platform: NodeJS.Platform
  /** 0: root; undefined on Windows. */
  readonly uid: number | undefined
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  /** Calls back at each signal that asks to stop. Returns how to stop listening. */
  readonly onStopSignal: (listener: (signal: string) => void) => () => void
  /** Calls back at each signal that asks for the configuration to be read anew; never on Windows. */
  readonly onReloadSignal: (listener: (signal: string) => void) => () => void
  /** Ends the process at once, with nothing finished. */
  readonly exitNow: (status: number) => void
}

/** Exit statuses of every command. 3 to 6 tell the outcome of a request; 7: start the agent again. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  overtaken: 4,
  unknown: 5,
  failedRequest: 6,
  startAgain: 7,
} as const

/** How a command hands its exit status back. */
export type SetExit = (status: number) => void

/** One line on standard output. */
export const say = (io: Io, line: string): void => void io.stdout.write(`${line}\n`)
