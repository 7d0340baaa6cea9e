// Waiting for an agent that is to die or to stop at a point, or is to have nothing to do.
import { setTimeout as sleep } from 'node:timers/promises'
import type { WorldAgent } from '../servers/world-agents.ts'
import { readDiary } from '../test-build/crash-plan.ts'

/** Waits until the agent is dead; kills it after `withinMs`, and gives false then. */
export async function awaitDeath(agent: WorldAgent, withinMs = 30_000): Promise<boolean> {
  const end = performance.now() + withinMs
  while (agent.isRunning()) {
    if (performance.now() > end) {
      await agent.kill()
      return false
    }
    await sleep(3)
  }
  return true
}

/** Waits until the agent's diary has more than `count` entries; false after `withinMs`. */
export async function awaitStrike(agent: WorldAgent, count: number, withinMs = 10_000): Promise<boolean> {
  const end = performance.now() + withinMs
  while (readDiary(agent.configFile).length <= count) {
    if (performance.now() > end) return false
    await sleep(3)
  }
  return true
}

const QUIET_MS = 20_000

/** Waits until the agent holds nothing open and has told everything; at most 20 s. */
export async function awaitQuiet(agent: WorldAgent): Promise<void> {
  const end = performance.now() + QUIET_MS
  while (performance.now() < end) {
    const { json } = await agent.ops('/status')
    const { open, undelivered } = (json as { requests: { open: number; undelivered: number } }).requests
    if (open === 0 && undelivered === 0) return
    await sleep(50)
  }
}
