// Tells systemd how the agent is: started, reloading, stopping, a line of status, and that it still works. Outside of systemd
// it does nothing. Node.js has no datagram socket of the unix kind, so each message is one run of systemd-notify (about 20 ms).
import { execFile } from 'node:child_process'
import type { Clock } from '../clock/clock.ts'
import { errorFields, failureLine, type Logger } from '../telemetry/logger.ts'

/** What the watchdog needs to know of the agent. */
export interface ServiceLook {
  /** Parts that have not moved for too long; while there is one, the watchdog is not fed, and systemd starts the agent anew. */
  readonly silent: readonly string[]
  /** One line for `systemctl status`. What it throws is told in its place. */
  readonly status: () => string
}

/** The agent's line to its service manager. Never throws, and nobody waits for it but at the end. */
export interface ServiceNotifier {
  /** The parts run. From now on the watchdog is fed, as long as `look` finds nothing silent. */
  readonly started: (look: () => ServiceLook) => void
  readonly reloading: () => void
  readonly reloaded: () => void
  /** A stop begins, and takes at most so long. What stops need not move any more. */
  readonly stopping: (limitMs: number) => void
  /** Ends the feeding, and waits for what was said last. */
  readonly close: () => Promise<void>
}

/** What the notifier is made of. */
export interface NotifierOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly pid: number
  readonly clock: Clock
  readonly log: Logger
}

const PATH = '/usr/local/bin:/usr/bin:/bin'
const CALL_LIMIT_MS = 5_000
// Fed three times within the time that systemd allows: one message may be late.
const FEEDS = 3
const MOST_FEED_MS = 10_000
// Who has just started the service looks at once.
const STATUS_MS = 2_000
const MOST_STATUS = 200
const STOP_MARGIN_MS = 10_000

const SILENT: ServiceNotifier = {
  started: () => {},
  reloading: () => {},
  reloaded: () => {},
  stopping: () => {},
  close: async () => {},
}

/** Makes the notifier of this process from the environment that systemd gave it. */
export function createServiceNotifier(options: NotifierOptions): ServiceNotifier {
  const { env, clock, log } = options
  const socket = env['NOTIFY_SOCKET'] ?? ''
  if (socket === '') return SILENT
  const send = createSender(socket, log)
  const allowedMs = watchdogMs(options)
  const feedMs = Math.min(allowedMs > 0 ? allowedMs / FEEDS : MOST_FEED_MS, MOST_FEED_MS)
  const lookMs = Math.min(feedMs, STATUS_MS)
  const looksForOneFeed = Math.floor(feedMs / lookMs)
  const closing = new AbortController()
  let isStopping = false
  let said = ''
  const feed = async (look: () => ServiceLook) => {
    for (let looks = 0; !closing.signal.aborted; looks += 1) {
      const isDue = allowedMs > 0 && looks % looksForOneFeed === 0
      const { silent, status } = isStopping ? { silent: [], status: said } : lookSafely(look)
      if (isDue && silent.length > 0)
        log.error('a part of the agent does not move any more: the watchdog is not fed', { parts: silent })
      const words = [
        ...(isDue && silent.length === 0 ? ['WATCHDOG=1'] : []),
        ...(status === said ? [] : [statusWord(status)]),
      ]
      said = status
      if (words.length > 0) void send(words)
      await clock.sleep(lookMs, closing.signal)
    }
  }
  return {
    started: (look) => {
      said = lookSafely(look).status
      void send(['READY=1', statusWord(said)])
      feed(look).catch((error) => log.error('the watchdog is not fed any more', errorFields(error)))
    },
    reloading: () => void send(['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`]),
    reloaded: () => void send(['READY=1']),
    stopping: (limitMs) => {
      isStopping = true
      void send(['STOPPING=1', 'STATUS=stopping', `EXTEND_TIMEOUT_USEC=${(limitMs + STOP_MARGIN_MS) * 1000}`])
    },
    close: async () => {
      closing.abort()
      await send([])
    },
  }
}

/** A part that does not move starves the watchdog, and nothing else does: a status that cannot be read is a status as well. */
function lookSafely(look: () => ServiceLook): {
  readonly silent: readonly string[]
  readonly status: string
} {
  const { silent, status } = look()
  try {
    return { silent, status: status() }
  } catch (error) {
    return { silent, status: `cannot be told: ${failureLine(error)}` }
  }
}

// A line break would begin another assignment.
const statusWord = (status: string): string =>
  `STATUS=${status.replaceAll(/\p{Cc}+/gu, ' ').slice(0, MOST_STATUS)}`

/** 0: no watchdog, or one of another process. */
function watchdogMs({ env, pid }: NotifierOptions): number {
  const microseconds = Number(env['WATCHDOG_USEC'] ?? 0)
  const meant = env['WATCHDOG_PID'] ?? String(pid)
  return meant === String(pid) && microseconds > 0 ? microseconds / 1000 : 0
}

/** Sends one message after the other, in their order; resolves when the last one is out. No words: nothing but the wait. */
function createSender(socket: string, log: Logger): (words: readonly string[]) => Promise<void> {
  let last: Promise<void> = Promise.resolve()
  let hasFailed = false
  const call = (words: readonly string[]) =>
    new Promise<void>((resolve) => {
      const env = { PATH, NOTIFY_SOCKET: socket, LC_ALL: 'C' }
      execFile('systemd-notify', words, { env, timeout: CALL_LIMIT_MS }, (error) => {
        if (error && !hasFailed) log.warn('systemd cannot be told how the agent is', errorFields(error))
        hasFailed = error !== null
        resolve()
      })
    })
  return (words) => {
    if (words.length > 0) last = last.then(() => call(words))
    return last
  }
}
