// How a running program is told to stop: the first signal asks, the second one does not wait.
import { EXIT, type Io } from './io.ts'

/** A stop that may be asked for. */
export interface StopRequest {
  /** Resolves when somebody asks for the first time, with who: the signal's name, or the word given to `ask`. */
  readonly asked: Promise<string>
  /** Asks as the first signal does. A signal that follows is still the first one. */
  readonly ask: (who: string) => void
}

/** Listens for signals; at the second one the process ends at once. */
export function stopRequest(io: Pick<Io, 'onStopSignal' | 'exitNow'>): StopRequest {
  const { promise: asked, resolve: ask } = Promise.withResolvers<string>()
  let signals = 0
  io.onStopSignal((signal) => {
    signals += 1
    if (signals > 1) io.exitNow(EXIT.failed)
    ask(signal)
  })
  return { asked, ask }
}
