// A clock that moves only when a test moves it. Wall and monotonic time can be moved apart.
import type { Clock } from '../../src/clock/clock.ts'

/** The clock and the hands to move it. */
export interface ManualClock extends Clock {
  /** Lets time pass: wall and monotonic alike; sleepers whose time has come wake. */
  readonly pass: (ms: number) => void
  /** Sets the wall clock forward or back, as an operator would. */
  readonly shiftWall: (ms: number) => void
}

/** Starts at a wall time, with monotonic time at 1,000 ms. */
export function createManualClock(wallMs: number): ManualClock {
  let wall = wallMs
  let monotonic = 1_000
  const sleepers = new Set<() => void>()
  return {
    wallMs: () => wall,
    monotonicMs: () => monotonic,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const until = monotonic + ms
        const wake = () => {
          if (monotonic < until && !signal?.aborted) return
          sleepers.delete(wake)
          resolve()
        }
        sleepers.add(wake)
        signal?.addEventListener('abort', wake)
        wake()
      }),
    pass: (ms) => {
      wall += ms
      monotonic += ms
      for (const wake of sleepers) wake()
    },
    shiftWall: (ms) => {
      wall += ms
    },
  }
}
