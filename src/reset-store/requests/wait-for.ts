// The long poll: look, and look again at every change, until there is an answer or the time is over.
import type { Clock } from '../../clock/clock.ts'
import type { Changes } from './changes.ts'

// A lease that runs out is announced by nobody, so a wait looks again this often.
const LOOK_AGAIN_MS = 1000

/** What is waited for. `look` answers undefined while there is nothing worth answering. */
export interface Wait<T> {
  readonly keys: readonly string[]
  readonly waitMs: number
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal
  readonly look: () => Promise<T | undefined>
}

/** Waits. The result is undefined when the time is over, the store stops, or the caller is gone. */
export async function waitFor<T>(wait: Wait<T>, changes: Changes, clock: Clock): Promise<T | undefined> {
  const end = clock.monotonicMs() + wait.waitMs
  for (;;) {
    const watch = changes.watch(wait.keys)
    try {
      const answer = await wait.look()
      const leftMs = end - clock.monotonicMs()
      if (answer !== undefined || leftMs <= 0 || wait.signal.aborted || changes.isStopped()) return answer
      await sleepUnless(watch.happened, Math.min(leftMs, LOOK_AGAIN_MS), wait.signal, clock)
    } finally {
      watch.end()
    }
  }
}

async function sleepUnless(
  happened: Promise<void>,
  ms: number,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  const awake = new AbortController()
  const wake = () => awake.abort('awake')
  signal.addEventListener('abort', wake, { once: true })
  if (signal.aborted) wake()
  await Promise.race([happened, clock.sleep(ms, awake.signal)])
  signal.removeEventListener('abort', wake)
  wake()
}
