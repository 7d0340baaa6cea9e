// Whether a process of this host is the agent: a number that was told by an agent in a container means another process here.
import { readFileSync } from 'node:fs'

/**
 * True when process `pid` is seen to be the agent, by its command line. Other platforms than Linux show none, and their containers
 * share no socket with the host: any process of that number is taken for it there.
 */
export function isAgentProcess(pid: number, platform: NodeJS.Platform): boolean {
  if (platform !== 'linux') return isProcess(pid)
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return (
      words.includes('agent') && words.some((word) => word === '--config' || word.startsWith('--config='))
    )
  } catch {
    return false
  }
}

/** True while there is a process of that number, whoever's it is. */
export function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
