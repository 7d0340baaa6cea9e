// Keeps compiled code between starts, in the agent's own state directory: a third less time to start. Code is only as
// trustworthy as the directory it lies in, so a directory that others may write is left alone.
import { statSync } from 'node:fs'
import { enableCompileCache, flushCompileCache } from 'node:module'
import { join } from 'node:path'

const WRITABLE_BY_OTHERS = 0o022

/** Switches the cache on below `stateDirectory`, if that is there and private. Never throws. */
export function keepCompiledCode(stateDirectory: string): void {
  if (process.platform === 'win32') return
  const found = statSync(stateDirectory, { throwIfNoEntry: false })
  if (!found || (found.mode & WRITABLE_BY_OTHERS) !== 0 || found.uid !== process.getuid?.()) return
  enableCompileCache(join(stateDirectory, 'compile-cache'))
}

/** Writes down what was compiled so far: a process that is killed later would leave nothing behind. */
export function saveCompiledCode(): void {
  flushCompileCache()
}
