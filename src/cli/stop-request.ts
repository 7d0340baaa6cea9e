// How a running program is told to stop: the first signal asks, the second one does not wait.
import { EXIT, type Io } from './io.ts'

/** Resolves with the first signal; at the second the process ends at once. */
export function stopRequest(io: Io): Promise<string> {
  return new Promise((resolve) => {
    let signals = 0
    io.onStopSignal((signal) => {
      signals += 1
      if (signals > 1) io.exitNow(EXIT.failed)
      resolve(signal)
    })
  })
}
