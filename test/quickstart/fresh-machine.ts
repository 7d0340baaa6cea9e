// A fresh Debian 12 that runs: systemd as process 1 in namespaces of its own. Its network is a loopback of its own and a way out;
// what listens on this machine is not reached on it.
import { mkdirSync, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '../servers/child-process.ts'
import { startBound } from './bound-process.ts'
import { groupOf } from './fresh-root.ts'

/** A machine that runs. */
export interface FreshMachine {
  /** The words of `nsenter` that enter it. */
  readonly enter: readonly string[]
  /** Runs a command there as root and returns its standard output. Rejects when it fails. */
  readonly run: (command: string, ...args: readonly string[]) => Promise<string>
  /** Ends every process of it. */
  readonly end: () => Promise<void>
}

const BOOT = path.join(import.meta.dirname, 'boot.sh')
const JOIN = 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"'
const NAMESPACES = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup']
const STARTED =
  '[ "$(cat /proc/1/comm)" = systemd ] && systemctl is-system-running | grep -qx -e running -e degraded'
const HAS_WAY_OUT = 'grep -q ^tap0.00000000 /proc/net/route'

/** Starts systemd in a root directory and waits until it has started. Its words, and those of its network, go to `logFile`. */
export async function bootMachine(root: string, logFile: string): Promise<FreshMachine> {
  const output = openSync(logFile, 'a')
  const group = groupOf(root)
  mkdirSync(group)
  const alone = ['unshare', ...NAMESPACES, '--fork', '--kill-child', 'sh', BOOT, root]
  const outer = startBound(['sh', '-c', JOIN, 'sh', group, ...alone], output)
  const started = [outer]
  const end = async (): Promise<void> => {
    for (const one of started.toReversed()) await one.kill()
    await untilFound('its end', () => Promise.resolve(processesOf(group) === '' ? true : undefined))
  }
  try {
    const first = await untilFound('its first process', () => Promise.resolve(childOf(outer.pid)))
    const enter = ['--target', first, '--all', '--']
    const run = (command: string, ...args: readonly string[]) =>
      runCommand('nsenter', [...enter, command, ...args])
    const succeeds = (script: string) => () =>
      run('sh', '-c', script).then(
        () => true,
        () => undefined,
      )
    await untilFound('systemd', succeeds(STARTED))
    started.push(startBound(['slirp4netns', '--configure', '--disable-host-loopback', first, 'tap0'], output))
    await untilFound('its network', succeeds(HAS_WAY_OUT))
    return { enter, run, end }
  } catch (error) {
    await end()
    throw new Error(`the fresh machine did not start; its words: ${logFile}`, { cause: error })
  }
}

const processesOf = (group: string): string => readFileSync(path.join(group, 'cgroup.procs'), 'utf8')

/** The process that a process started; unshare starts one. */
function childOf(pid: number): string | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'unshare' && children !== ''
    ? children
    : undefined
}

async function untilFound<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + 120_000
  while (performance.now() < end) {
    const found = await look()
    if (found !== undefined) return found
    await sleep(100)
  }
  throw new Error(`no sign of ${what} within two minutes`)
}
