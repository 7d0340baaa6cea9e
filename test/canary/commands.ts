// Runs the product's commands and keeps every word they print.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { bareEnvironment } from '../servers/child-process.ts'
import type { DirectoryKind } from '../servers/directory-kinds.ts'
import { nodeArguments } from '../servers/world-programs.ts'
import type { World } from '../servers/writeback-world.ts'
import type { ProcessWatch } from './process-watch.ts'

const CHILD = path.resolve(import.meta.dirname, 'commands-child.ts')

/** How one run differs. */
export interface RunOptions {
  readonly input?: Buffer | string
  readonly env?: Readonly<Record<string, string>>
  readonly imports?: readonly string[]
  /** Kept apart: what debugging options print. */
  readonly isDebugging?: boolean
}

/** What a command said. */
export interface Run {
  readonly status: number | null
  readonly text: string
}

/** The product's commands. */
export interface Command {
  readonly run: (words: readonly string[], options?: RunOptions) => Promise<Run>
  /** `writeback store …` against the store, through the recorder. */
  readonly store: (words: readonly string[], options?: RunOptions) => Promise<Run>
  /** Many commands of the product in one process, one after the other. */
  readonly several: (commands: readonly { words: readonly string[]; input?: Buffer }[]) => Promise<Run>
  /** The words by which a command finds the store. */
  readonly place: readonly string[]
  /** Everything that commands printed. */
  readonly printed: () => Buffer
  /** Everything that was printed under debugging options. */
  readonly debugged: () => Buffer
}

/** Makes the commands of a world. */
export function createCommands(
  world: World<DirectoryKind>,
  storeUrl: string,
  processes: ProcessWatch,
): Command {
  const printed: Buffer[] = []
  const debugged: Buffer[] = []
  const tmp = path.join(world.directory, 'tmp')
  const runNode = (
    words: readonly string[],
    { input = '', env = {}, isDebugging = false }: RunOptions,
  ): Promise<Run> =>
    new Promise((resolve, reject) => {
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...words], {
        env: { ...bareEnvironment(), TMPDIR: tmp, ...env },
        stdio: 'pipe',
        timeout: 180_000,
      })
      if (child.pid !== undefined) processes.add(child.pid)
      const own: Buffer[] = []
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => {
          own.push(chunk)
          ;(isDebugging ? debugged : printed).push(chunk)
        })
      child.on('error', reject)
      // A command may refuse before it reads.
      child.stdin.on('error', () => undefined)
      child.stdin.end(input)
      child.on('close', (status) => resolve({ status, text: Buffer.concat(own).toString() }))
    })
  const run: Command['run'] = (words, options = {}) =>
    runNode([...nodeArguments('source', options.imports), ...words], options)
  const place = [
    ...['--url', storeUrl, '--ca-file', world.caFile],
    ...['--token-file', path.join(world.directory, 'store', 'admin-token')],
  ]
  return {
    ...{ run, place },
    several: (several) => {
      const list = several.map(({ words, input }) => ({ words, input: input?.toString('base64') ?? '' }))
      return runNode(['--disable-warning=ExperimentalWarning', CHILD], { input: JSON.stringify(list) })
    },
    store: (words, options) => run(['store', ...words, ...place], options),
    printed: () => Buffer.concat(printed),
    debugged: () => Buffer.concat(debugged),
  }
}
