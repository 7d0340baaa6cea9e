// Command lines and environments of the programs and of every process that they start, looked at again and again.
import { readdirSync, readFileSync } from 'node:fs'

/** A running look-out. */
export interface ProcessWatch {
  /** Also looks at this process and its children, from now on. */
  readonly add: (pid: number) => void
  readonly commandLines: () => readonly Buffer[]
  readonly environments: () => readonly Buffer[]
  readonly stop: () => void
}

const EVERY_MS = 100

/** Watches the given processes; `roots` is asked again at each look. */
export function watchProcesses(roots: () => readonly number[]): ProcessWatch {
  const seen = { cmdline: new Map<string, Buffer>(), environ: new Map<string, Buffer>() }
  const added = new Set<number>()
  const look = () => {
    for (const pid of [...roots(), ...added].flatMap(withChildren))
      for (const name of ['cmdline', 'environ'] as const) {
        const bytes = tryRead(`/proc/${pid}/${name}`)
        if (bytes) seen[name].set(bytes.toString('latin1'), bytes)
      }
  }
  const timer = setInterval(look, EVERY_MS).unref()
  return {
    add: (pid) => {
      added.add(pid)
      look()
    },
    commandLines: () => [...seen.cmdline.values()],
    environments: () => [...seen.environ.values()],
    stop: () => clearInterval(timer),
  }
}

function withChildren(pid: number): readonly number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const children = threads.flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return [pid, ...children.flatMap(withChildren)]
  } catch {
    return []
  }
}

function tryRead(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}
