// Time, handed in everywhere so that tests and the simulation can own it.

/** Wall time for what others read, monotonic time for every interval and deadline. */
export interface Clock {
  /** Milliseconds since 1970, as this host believes. */
  readonly wallMs: () => number
  /** Milliseconds that never run back. Only differences mean anything. */
  readonly monotonicMs: () => number
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
}

/** The clock of this host. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done, { once: true })
    }),
}
