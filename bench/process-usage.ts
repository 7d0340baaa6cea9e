// What a process has used so far, as the kernel counts it. Linux only.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** User and system time of a process with all its threads, milliseconds, in steps of one clock tick (10 ms). */
export function cpuMs(pid: number): number {
  // After the name, which may hold anything, utime and stime are the 12th and 13th field (proc(5)).
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? []
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND
}

/** The most memory a process ever had resident, in MB (10^6 bytes). */
export function peakMemoryMb(pid: number): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
  return (Number(kib) * 1024) / 1e6
}

/** The processors' time, in ms, that each named process used while `work` ran. */
export async function usageDuring<Name extends string>(
  pids: Readonly<Record<Name, number>>,
  work: () => Promise<void>,
): Promise<Record<Name, number>> {
  const names = Object.keys(pids) as Name[]
  const before = names.map((name) => cpuMs(pids[name]))
  await work()
  const used = names.map((name, index) => [name, cpuMs(pids[name]) - (before[index] ?? 0)])
  return Object.fromEntries(used) as Record<Name, number>
}
