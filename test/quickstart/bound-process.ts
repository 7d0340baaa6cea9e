// Processes of the fresh machine on this one: the kernel ends each of them when this process dies, however it dies.
import { spawn } from 'node:child_process'
import { bareEnvironment } from '../servers/child-process.ts'

/** A process that runs. */
export interface BoundProcess {
  readonly pid: number
  /** Resolves with the exit status, or the name of the signal that ended it. */
  readonly exited: Promise<number | string>
  /** Ends it at once, and waits for its end. */
  readonly kill: () => Promise<void>
}

/** Starts a command with its words; its output goes to an open file. */
export function startBound(command: readonly string[], output: number): BoundProcess {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
    stdio: ['ignore', output, output],
    env: bareEnvironment(),
  })
  const exited = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code ?? 'unknown'))
    child.once('error', (error) => resolve(error.message))
  })
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  return { pid: child.pid ?? 0, exited, kill }
}
