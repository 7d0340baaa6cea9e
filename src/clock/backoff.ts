// How long to wait before the next try: longer each time, never all at the same moment.

/** Limits of a backoff, in milliseconds. */
export interface BackoffLimits {
  readonly firstMs: number
  readonly longestMs: number
}

/** A growing delay. `next` gives the delay for the coming try, `reset` starts again from the shortest. */
export interface Backoff {
  readonly next: () => number
  readonly reset: () => void
}

/** Makes a backoff that doubles up to the longest delay, each between half and all of its step. */
export function createBackoff(limits: BackoffLimits, random: () => number = Math.random): Backoff {
  let step = limits.firstMs
  return {
    next: () => {
      const delay = step / 2 + (step / 2) * random()
      step = Math.min(step * 2, limits.longestMs)
      return delay
    },
    reset: () => {
      step = limits.firstMs
    },
  }
}
