// Ends a private Redis that outlived its agent. It is replaced, not adopted: a child's end is seen and its output is
// read, a stranger's is not. Nothing is lost, the new one loads the same append-only file.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import type { Clock } from '../../clock/clock.ts'
import { WritebackError } from '../../errors/writeback-error.ts'

const POLITE_MS = 3000
const FORCED_MS = 2000
const POLL_MS = 5

/**
 * Ends the process named in `pidFile` if its command line proves that it serves `configPath`; any other process is
 * left alone. Gives its pid when there was one. Throws ERR_REDIS_START when it does not end.
 */
export async function endLeftOver(
  pidFile: string,
  configPath: string,
  clock: Clock,
): Promise<number | undefined> {
  if (!existsSync(pidFile)) return undefined
  const pid = Number(readFileSync(pidFile, 'utf8'))
  const serves = () => Number.isInteger(pid) && pid > 1 && commandLine(pid).includes(configPath)
  const found = serves()
  for (const [signal, limitMs] of [
    ['SIGTERM', POLITE_MS],
    ['SIGKILL', FORCED_MS],
  ] as const) {
    if (!serves()) break
    kill(pid, signal)
    for (let waited = 0; waited < limitMs && serves(); waited += POLL_MS) await clock.sleep(POLL_MS)
  }
  if (serves())
    throw new WritebackError('ERR_REDIS_START', `the left-over Redis with pid ${pid} does not end`, {
      retry: 'later',
    })
  rmSync(pidFile, { force: true })
  return found ? pid : undefined
}

// Empty for a process that is gone, and for one that is dead but not yet collected.
function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended in between.
  }
}
