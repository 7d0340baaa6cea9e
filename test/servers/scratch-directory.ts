// Private directories of running test servers. Named after the process that owns them, so that what a killed test run
// left behind is found and removed by the next one.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { isAlive } from './child-process.ts'

const PREFIX = 'writeback-test-'
let swept = false

/** A new private directory (0700) below the system's temporary directory. Paths stay short: unix sockets end at 107. */
export function makeScratchDirectory(): string {
  if (!swept) sweep()
  swept = true
  return mkdtempSync(path.join(os.tmpdir(), `${PREFIX}${process.pid}-`))
}

/** Removes a scratch directory, also while a last child of the server still writes into it. */
export const removeScratchDirectory = (directory: string): Promise<void> =>
  rm(directory, { recursive: true, force: true, maxRetries: 40, retryDelay: 50 })

function sweep(): void {
  for (const name of readdirSync(os.tmpdir())) {
    const owner = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : 0
    if (owner > 0 && !isAlive(owner)) removeIfOurs(path.join(os.tmpdir(), name))
  }
}

/** Another user's left-overs stay: they are not ours to remove. */
function removeIfOurs(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.uid !== process.getuid?.()) return
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
}
