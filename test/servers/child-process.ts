// Children of tests: they start with a bare environment (Jest's NODE_OPTIONS must not reach them), in their own process
// group, and the kernel ends them when their parent dies, however it dies.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import './no-core-dumps.mjs'

/** A running child. All signals go to its whole process group. */
export interface TestChild {
  readonly pid: number
  /** Resolves with the exit code, or the name of the signal that ended it. */
  readonly exited: Promise<number | string>
  readonly isRunning: () => boolean
  readonly signal: (name: NodeJS.Signals) => void
  /** SIGSTOP to the group until `resume()`; stopped processes too end with this process. */
  readonly pause: () => void
  readonly resume: () => void
  /** Ends the child with `name`, after 5 s with SIGKILL, and waits for its end. */
  readonly end: (name: NodeJS.Signals) => Promise<void>
}

/** How a child is started. */
export interface TestChildOptions {
  readonly command: string
  readonly args: readonly string[]
  /** Output of the child goes to this file. */
  readonly outputFile: string
  /** Where standard error goes instead. */
  readonly errorFile?: string | undefined
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Sent to the child by the kernel when this process dies. Default SIGKILL, which a stopped process obeys too. */
  readonly parentDeathSignal?: 'KILL' | 'TERM'
}

// Shared by all of them: most of a program's start is compiling what did not change.
const COMPILED = path.resolve(import.meta.dirname, '../../.cache/compiled')

/** Where a test build keeps its compiled code: in one place with the others', each would overwrite what the other has edited. */
export const compiledApart = (build: string): Readonly<Record<string, string>> => ({
  NODE_COMPILE_CACHE: path.join(COMPILED, path.parse(build).name),
})

/** The environment every test child starts with. */
export function bareEnvironment(): Record<string, string> {
  const { PATH = '' } = process.env
  return { PATH: `${PATH}:/usr/sbin:/usr/bin:/sbin:/bin`, LANG: 'C.UTF-8', NODE_COMPILE_CACHE: COMPILED }
}

/** Starts a child that can not outlive this process. */
function startChild(options: TestChildOptions): TestChild {
  const output = openSync(options.outputFile, 'a', 0o600)
  const errors = options.errorFile === undefined ? output : openSync(options.errorFile, 'a', 0o600)
  const death = options.parentDeathSignal ?? 'KILL'
  const child = spawn('setpriv', ['--pdeathsig', death, options.command, ...options.args], {
    stdio: ['pipe', output, errors],
    env: { ...bareEnvironment(), ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    detached: true,
  })
  for (const file of new Set([output, errors])) closeSync(file)
  return watch(child)
}

/** Starts a child and waits until `isReady` says so; throws with the child's last output when it ends or stays silent. */
export async function startReadyChild(
  options: TestChildOptions,
  isReady: () => Promise<boolean>,
): Promise<TestChild> {
  const child = startChild(options)
  const end = performance.now() + 45_000
  while (!(await isReady())) {
    if (child.isRunning() && performance.now() < end) await sleep(25)
    else {
      await child.end('SIGKILL')
      const files = new Set([options.outputFile, options.errorFile ?? options.outputFile])
      const words = [...files].map((file) => readFileSync(file, 'utf8').slice(-2_000)).join('')
      throw new Error(`${options.command} does not start (${await child.exited}): ${words}`)
    }
  }
  return child
}

function watch(child: ChildProcess): TestChild {
  const exited = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code ?? 'unknown'))
    child.once('error', (error) => resolve(error.message))
  })
  const isRunning = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null
  const signal = (name: NodeJS.Signals) => {
    if (child.pid !== undefined) signalGroup(child.pid, name)
  }
  let guard: ChildProcess | undefined
  const pause = () => {
    guard ??= guardGroup(child.pid ?? 0)
    signal('SIGSTOP')
  }
  const resume = () => {
    signal('SIGCONT')
    guard?.stdin?.end('resumed\n')
    guard = undefined
  }
  const end = async (name: NodeJS.Signals) => {
    if (!isRunning()) return
    signal(name)
    resume()
    const last = setTimeout(() => signal('SIGKILL'), 5_000)
    await exited
    clearTimeout(last)
    signal('SIGKILL')
  }
  return { pid: child.pid ?? 0, exited, isRunning, signal, pause, resume, end }
}

/**
 * Ends a stopped group when this process dies: its members can not see that their parent is gone. A line on its standard
 * input calls it off.
 */
export function guardGroup(pid: number): ChildProcess {
  const program = 'read -r answer || kill -9 "-$0"'
  return spawn('sh', ['-c', program, String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: bareEnvironment(),
    detached: true,
  })
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** True while a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const execFilePromise = promisify(execFile)

/** Runs a command to its end in a bare environment and returns its standard output. Rejects when it fails. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: {
    readonly input?: string
    readonly env?: Readonly<Record<string, string>>
    readonly cwd?: string
  } = {},
): Promise<string> {
  const running = execFilePromise(command, args, {
    env: { ...bareEnvironment(), ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    timeout: 120_000,
  })
  // A command that ends without reading is no failure of ours.
  running.child.stdin?.on('error', () => undefined)
  running.child.stdin?.end(options.input ?? '')
  return (await running).stdout
}
