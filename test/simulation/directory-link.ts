// The way from an agent to a directory server, one exchange at a time: what is sent can be lost on its way there, on its
// way back, come late, or never leave.
import { WritebackError } from '../../src/errors/writeback-error.ts'
import type { Server } from './directory-model.ts'
import type { Owner, Scheduler } from './scheduler.ts'

/** How likely each fault of an exchange is now. */
export interface LinkFaults {
  readonly slow: number
  readonly refusedConnection: number
  readonly lostBefore: number
  readonly lostAfter: number
  readonly late: number
}

/** What the link needs to know of the run. */
export interface LinkOptions {
  readonly scheduler: Scheduler
  readonly faults: () => LinkFaults | undefined
  /** How this agent reaches this server now. */
  readonly wayTo: (agent: string, server: Server) => 'open' | 'refused' | 'silent'
  readonly note: (fault: keyof LinkFaults) => void
  /** Counts the writes on their way. */
  readonly counter: { underWay: number }
}

/** What came of one exchange. */
type Exchange<T> =
  | { readonly kind: 'answered'; readonly value: T }
  | { readonly kind: 'lost'; readonly phase: 'partly_written' | 'written'; readonly cause: WritebackError }

/** The exchanges of one process of an agent. */
export interface Link {
  /** Resolves when a connection is there. Throws ERR_DIRECTORY_UNREACHABLE or _TIMEOUT. */
  readonly connect: (server: Server) => Promise<void>
  /** Sends. `perform` happens at the server, if the message arrives there. */
  readonly exchange: <T>(server: Server, perform: () => T, isWrite: boolean) => Promise<Exchange<T>>
}

export const CONNECT_TIMEOUT_MS = 3_000
export const OPERATION_TIMEOUT_MS = 5_000

/** Makes the link of one process. */
export function createLink(options: LinkOptions, owner: Owner, agent: string): Link {
  const { scheduler } = options
  const { chance } = scheduler
  const latency = () => chance.between(1, 8)
  const failure = (
    code: 'ERR_DIRECTORY_UNREACHABLE' | 'ERR_DIRECTORY_TIMEOUT' | 'ERR_DIRECTORY_CLOSED',
    url: string,
  ) => new WritebackError(code, `${url}: ${code}`, { retry: 'later' })
  const draw = (isWrite: boolean): keyof LinkFaults | undefined => {
    const faults = options.faults()
    if (!faults) return undefined
    for (const [name, probability] of Object.entries(faults) as [keyof LinkFaults, number][])
      if (name !== 'refusedConnection' && chance.happens(isWrite ? probability : probability / 4)) {
        options.note(name)
        return name
      }
    return undefined
  }
  return {
    connect: (server) =>
      new Promise((resolve, reject) => {
        const way = options.wayTo(agent, server)
        const isRefused = way === 'refused' || chance.happens(options.faults()?.refusedConnection ?? 0)
        if (isRefused)
          scheduler.after(owner, latency(), () => reject(failure('ERR_DIRECTORY_UNREACHABLE', server.url)))
        else if (way === 'silent' || server.owner.isStopped)
          scheduler.timer(owner, CONNECT_TIMEOUT_MS, () =>
            reject(failure('ERR_DIRECTORY_TIMEOUT', server.url)),
          )
        else scheduler.after(owner, 2 * latency(), () => resolve())
      }),
    exchange: (server, perform, isWrite) =>
      new Promise((resolve) => {
        const fault = draw(isWrite)
        let isOver = false
        const end = (exchange: Awaited<ReturnType<Link['exchange']>>) => {
          if (isOver) return
          isOver = true
          cancel()
          resolve(exchange as never)
        }
        const lose = (code: 'ERR_DIRECTORY_TIMEOUT' | 'ERR_DIRECTORY_CLOSED') =>
          end({
            kind: 'lost',
            phase: chance.pick(['partly_written', 'written']),
            cause: failure(code, server.url),
          })
        const cancel = scheduler.timer(owner, OPERATION_TIMEOUT_MS, () => lose('ERR_DIRECTORY_TIMEOUT'))
        const cut = () => scheduler.after(owner, latency(), () => lose('ERR_DIRECTORY_CLOSED'))
        // The client hears of the loss at once, or only by its own deadline.
        if (fault !== undefined && fault !== 'slow' && chance.happens(0.5)) cut()
        if (fault === 'lostBefore') return
        if (isWrite) options.counter.underWay += 1
        const landed = () => {
          if (isWrite) options.counter.underWay -= 1
        }
        const answer = (value: Awaited<ReturnType<typeof perform>>) => {
          if (fault === 'lostAfter' || fault === 'late') return
          if (options.wayTo(agent, server) !== 'open') return
          const slow = fault === 'slow' ? chance.between(100, 2_200) : 0
          scheduler.after(owner, latency() + slow, () => end({ kind: 'answered', value }))
        }
        const arrive = () => {
          if (!server.isUp) return landed()
          const way = options.wayTo(agent, server)
          // What was on its way when the link broke is lost, or sent again by the network once it heals.
          if (way === 'refused') return landed()
          if (way === 'silent') {
            if (isWrite && chance.happens(0.7)) scheduler.after(server.owner, 1_000, arrive)
            else landed()
            return
          }
          landed()
          answer(perform() as never)
        }
        const way =
          fault === 'late'
            ? chance.between(200, OPERATION_TIMEOUT_MS + 15_000)
            : latency() + (fault === 'slow' ? chance.between(100, 2_200) : 0)
        scheduler.after(server.owner, way, arrive)
      }),
  }
}
