// The machine under an agent: its clocks, which may be wrong, and its sleep. It outlives the processes on it.
import type { Clock } from '../../src/clock/clock.ts'
import type { Owner, Scheduler } from './scheduler.ts'

/** One machine. */
export interface Host {
  /** Wall clock minus true time, milliseconds. Set by faults. */
  wallAheadMs: number
  readonly wallMs: () => number
  readonly monotonicMs: () => number
  /** From now on the monotonic clock stands still, until `wake`. */
  readonly sleep: () => void
  readonly wake: () => void
  /** Runs now, or as soon as the machine is awake: nothing begins on one that sleeps. */
  readonly whenAwake: (run: () => void) => void
}

/** Makes a machine. */
export function createHost(scheduler: Scheduler, wallAheadMs: number): Host {
  const bootedAt = scheduler.now() - scheduler.chance.between(10_000, 9_000_000)
  let slept = 0
  let asleepSince: number | undefined
  let waiting: (() => void)[] = []
  return {
    wallAheadMs,
    wallMs() {
      return scheduler.now() + this.wallAheadMs
    },
    monotonicMs: () => (asleepSince ?? scheduler.now()) - bootedAt - slept,
    sleep: () => {
      asleepSince ??= scheduler.now()
    },
    wake: () => {
      if (asleepSince !== undefined) slept += scheduler.now() - asleepSince
      asleepSince = undefined
      const awaited = waiting
      waiting = []
      for (const run of awaited) run()
    },
    whenAwake: (run) => {
      if (asleepSince === undefined) run()
      else waiting.push(run)
    },
  }
}

/** The clock as one process on a machine sees it. Its sleepers never wake once the process is dead. */
export function createClock(
  scheduler: Scheduler,
  owner: Owner,
  host: Pick<Host, 'wallMs' | 'monotonicMs'>,
): Clock {
  return {
    wallMs: () => host.wallMs(),
    monotonicMs: host.monotonicMs,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        const done = () => {
          cancel()
          signal?.removeEventListener('abort', done)
          resolve()
        }
        const cancel = scheduler.timer(owner, ms, done)
        signal?.addEventListener('abort', done, { once: true })
      }),
  }
}
