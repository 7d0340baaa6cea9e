// Keeps the list of one domain's controllers as DNS names them: looks at the start and on the clock, says what is odd, and goes on
// with what is known when DNS gives nothing better.
import type { Clock } from '../../clock/clock.ts'
import type { Conditions } from '../../telemetry/conditions.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { DnsClient } from './dns-client.ts'
import { type DnsAnswer, findControllers } from './find-controllers.ts'
import { askingOrder, type KnownControllers, learn, recallKnown, rememberedAs } from './known-controllers.ts'

/** How the controllers of one directory are looked for. */
export interface DiscoveryOptions {
  /** Of the directory. */
  readonly name: string
  readonly domain: string
  readonly site?: string | undefined
  readonly within?: readonly string[] | undefined
  readonly everyMs: number
  readonly dns: DnsClient
  /** Where the list is kept over restarts. */
  readonly memory: { readonly read: () => string | undefined; readonly write: (text: string) => void }
  /** The writer in use; without a connection the last one, where there was one. */
  readonly writer: () => { readonly connected: boolean; readonly url?: string }
  readonly conditions: Pick<Conditions, 'raise' | 'clear'>
  readonly clock: Clock
  readonly log: Logger
  /** The agent stops: what a look came to then says nothing. */
  readonly signal: AbortSignal
  /** Gives numbers from 0 to below 1. */
  readonly random?: () => number
}

/** How a discovery is; times in milliseconds since 1970, null where there was none yet. */
export interface DiscoveryView {
  readonly domain: string
  /** When DNS named the controllers last. */
  readonly foundAt: number | null
  /** Why the last look found no list of them, else null. */
  readonly problem: string | null
  /** As URLs, those that DNS names. */
  readonly controllers: readonly string[]
  /** Those that it no longer names; they are asked last. */
  readonly vanished: readonly string[]
}

/** The controllers of one directory. */
export interface Discovery {
  /** LDAPS URLs in the order in which they are to be asked; empty until DNS has named one. */
  readonly urls: () => readonly string[]
  /** Looks now. Never rejects. */
  readonly look: () => Promise<void>
  /** Looks when it is time: every `everyMs`; every minute after a failure or without a connection, sooner while none is known. */
  readonly tend: () => Promise<void>
  readonly view: () => DiscoveryView
}

const SOON_MS = 60_000

// Always the port of LDAPS: that of a record is the one without TLS.
const urlOf = (host: string): string => `ldaps://${host}`
const hostOf = (url: string | undefined): string | undefined => url && URL.parse(url)?.hostname

/** Makes it; nothing is asked before the first look. */
export function createDiscovery(options: DiscoveryOptions): Discovery {
  const { domain, memory, clock, random = Math.random } = options
  let recalled: KnownControllers | undefined
  let foundAt: number | null = null
  let lookedMs = Number.NEGATIVE_INFINITY
  let problem: string | null = null
  let looking: Promise<void> | undefined
  const known = (): KnownControllers => {
    // No sooner: what keeps it is opened after this is made.
    recalled ??= recallKnown(memory.read(), domain, options.within ?? [domain])
    return recalled
  }
  const look = async () => {
    const answer = await findControllers(options, options.dns, random)
    if (options.signal.aborted) return
    lookedMs = clock.monotonicMs()
    problem = answer.problem ?? null
    const before = known()
    const inUse = hostOf(options.writer().url)
    const isComplete = answer.problem === undefined
    const nowMs = clock.wallMs()
    const after = learn(before, { hosts: answer.hosts, isComplete, nowMs, inUse })
    recalled = after
    if (isComplete) foundAt = nowMs
    if (JSON.stringify(after) !== JSON.stringify(before)) memory.write(rememberedAs(domain, after))
    logChange(options, before, after)
    tell(options, answer, after)
  }
  const lookOnce = () => {
    looking ??= look().finally(() => {
      looking = undefined
    })
    return looking
  }
  return {
    urls: () => askingOrder(known()).map(urlOf),
    look: lookOnce,
    tend: async () => {
      const isCalm = problem === null && options.writer().connected
      const dueMs = isCalm ? options.everyMs : Math.min(SOON_MS, options.everyMs)
      const isUrgent = known().named.length === 0
      if (isUrgent || clock.monotonicMs() - lookedMs >= dueMs) await lookOnce()
    },
    view: () => ({
      ...{ domain, foundAt, problem },
      controllers: known().named.map(({ host }) => urlOf(host)),
      vanished: known().vanished.map(({ host }) => urlOf(host)),
    }),
  }
}

function logChange({ name, log }: DiscoveryOptions, before: KnownControllers, after: KnownControllers): void {
  const hosts = (all: KnownControllers['named']) => new Set(all.map(({ host }) => host))
  const [was, is, gone] = [hosts(before.named), hosts(after.named), hosts(after.vanished)]
  const added = [...is.difference(was)]
  const vanished = [...gone.intersection(was)]
  if (added.length > 0 || vanished.length > 0)
    log.info('the controllers that DNS names have changed', { directory: name, added, vanished })
}

const NONE = 'none is known'

function tell(
  { name, conditions, writer }: DiscoveryOptions,
  { problem, oddities }: DnsAnswer,
  { named, vanished }: KnownControllers,
): void {
  const count = named.length + vanished.length
  if (problem !== undefined)
    conditions.raise(
      'controllers_not_found',
      name,
      `${problem}; ${count === 0 ? NONE : `the ${count} known ones stay`}`,
    )
  else conditions.clear('controllers_not_found', name)
  const inUse = hostOf(writer().url)
  const isWriterGone = vanished.some(({ host }) => host === inUse)
  const odd = [...oddities, ...(isWriterGone ? [`DNS no longer names the writer in use, ${inUse}`] : [])]
  if (odd.length > 0) conditions.raise('controllers_doubtful', name, odd.join('; '))
  else if (problem === undefined) conditions.clear('controllers_doubtful', name)
}
