// Things that are slow to make (a CA, a domain template) are made once a machine, below `.cache/test-servers/`. Safe
// with several test workers at once: built aside, moved into place in one step, and a lock keeps it from happening twice.
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isAlive } from './child-process.ts'

const CACHE = fileURLToPath(new URL('../../.cache/test-servers/', import.meta.url))

/**
 * Path of the directory `name`, made by `build(directory)` when it is not there yet. A build that fails leaves nothing.
 */
export async function builtOnce(name: string, build: (directory: string) => Promise<void>): Promise<string> {
  const target = path.join(CACHE, name)
  const lock = `${target}.lock`
  await mkdir(CACHE, { recursive: true })
  while (!(await exists(target))) {
    if (await takeLock(lock)) {
      try {
        if (!(await exists(target))) await buildAside(target, build)
      } finally {
        await rm(lock, { force: true })
      }
    } else await sleep(50)
  }
  return target
}

async function buildAside(target: string, build: (directory: string) => Promise<void>): Promise<void> {
  const aside = `${target}.${process.pid}`
  await rm(aside, { recursive: true, force: true })
  await mkdir(aside, { mode: 0o700 })
  try {
    await build(aside)
    await rename(aside, target)
  } finally {
    await rm(aside, { recursive: true, force: true })
  }
}

/** True when this process now holds the lock. The lock of a process that has ended is removed. */
async function takeLock(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const holder = Number(await readFile(lock, 'utf8').catch(() => ''))
  if (holder > 0 && !isAlive(holder)) await rm(lock, { force: true })
  return false
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  )
