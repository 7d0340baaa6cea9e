// The root directory of a fresh Debian 12, made by debootstrap from where this machine gets its packages. It is named after the
// process that owns it, so that what a killed run left behind is found and removed by the next one.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { isAlive } from '../servers/child-process.ts'
import { startBound } from './bound-process.ts'
import { type DebianSource, writeAptSettings } from './package-sources.ts'

const NAME = 'writeback-quickstart-'
const PLACE = '/var/tmp'
const PACKAGES = path.resolve(import.meta.dirname, '../../.cache/debs')
/** The resolver of slirp4netns, which asks this machine's. */
const RESOLVER = '10.0.2.3'

/** Makes the root directory of a minimal Debian 12 with systemd. The words of debootstrap go to `logFile`. */
export async function makeRoot(sources: readonly DebianSource[], logFile: string): Promise<string> {
  await sweep()
  const root = mkdtempSync(path.join(PLACE, `${NAME}${process.pid}-`))
  // Everybody on the machine goes through its root.
  chmodSync(root, 0o755)
  mkdirSync(PACKAGES, { recursive: true })
  const mirror = sources.find(({ suite }) => suite === 'bookworm')?.uri ?? ''
  // What it mounts and starts ends with it.
  const alone = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const what = ['--variant=minbase', '--include=systemd,systemd-sysv,dbus', `--cache-dir=${PACKAGES}`]
  const command = [...alone, 'debootstrap', ...what, 'bookworm', root, mirror]
  const status = await startBound(command, openSync(logFile, 'a')).exited
  if (status !== 0) throw new Error(`debootstrap ended with ${status}; its words: ${logFile}`)
  await writeAptSettings(root, sources)
  writeFileSync(path.join(root, 'etc/resolv.conf'), `nameserver ${RESOLVER}\n`)
  writeFileSync(path.join(root, 'etc/hostname'), 'fresh\n')
  writeFileSync(path.join(root, 'etc/hosts'), '127.0.0.1 localhost\n127.0.1.1 fresh\n')
  return root
}

/** The control group of the machine that runs in a root directory. */
export function groupOf(root: string): string {
  const [, mount] = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/self/mounts', 'utf8')) ?? []
  if (mount === undefined) throw new Error('this machine has no control groups of version 2')
  return path.join(mount, path.basename(root))
}

/** Removes a root directory and its control group, in which nothing runs any more. */
export async function removeRoot(root: string): Promise<void> {
  await rm(root, { recursive: true, force: true, maxRetries: 40, retryDelay: 50 })
  removeGroup(groupOf(root))
}

function removeGroup(group: string): void {
  try {
    for (const entry of readdirSync(group, { withFileTypes: true }))
      if (entry.isDirectory()) removeGroup(path.join(group, entry.name))
    rmdirSync(group)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

async function sweep(): Promise<void> {
  for (const name of readdirSync(PLACE)) {
    const owner = name.startsWith(NAME) ? Number.parseInt(name.slice(NAME.length), 10) : 0
    if (owner > 0 && !isAlive(owner)) await removeRoot(path.join(PLACE, name))
  }
}
