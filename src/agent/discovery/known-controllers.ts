// Which controllers are known of a domain. DNS may add to them at once, and takes nothing away but slowly: an answer may be forged,
// cut or empty, and a write may still be in doubt on a server that it no longer names. Pure.
import { z } from 'zod'
import { acceptHost } from './srv-records.ts'

const controllerSchema = z.strictObject({
  host: z.string(),
  /** When DNS named it last, and when it was seen as the writer last: milliseconds since 1970 by this host's clock; 0: never. */
  namedAtMs: z.number(),
  servedAtMs: z.number(),
})
/** One controller that DNS names or named. */
export type Controller = z.output<typeof controllerSchema>

const knownSchema = z.strictObject({
  /** Named by the last good answer, in its order. */
  named: z.array(controllerSchema).max(64),
  /** Named by an earlier one. */
  vanished: z.array(controllerSchema).max(64),
})
/** All that are known. */
export type KnownControllers = z.output<typeof knownSchema>

/** Nothing yet. */
export const NONE_KNOWN: KnownControllers = { named: [], vanished: [] }

const MOST_NAMED = 32
const MOST_VANISHED = 32
/** So long a controller is kept that DNS no longer names: what was sent to it is settled or over by then, a request lives a day at most. */
const KEPT_MS = 2 * 86_400_000

/** What is learnt in one look. */
export interface Learnt {
  readonly hosts: readonly string[]
  /** False: there may be more, so nothing has vanished. */
  readonly isComplete: boolean
  readonly nowMs: number
  /** The host of the last writer, which is never forgotten. */
  readonly inUse: string | undefined
}

/** Takes an answer in. */
export function learn(known: KnownControllers, learnt: Learnt): KnownControllers {
  const { hosts, isComplete, nowMs, inUse } = learnt
  const before = new Map([...known.vanished, ...known.named].map((one) => [one.host, one]))
  const seen = (host: string): Controller => {
    const servedAtMs = host === inUse ? nowMs : (before.get(host)?.servedAtMs ?? 0)
    return { host, servedAtMs, namedAtMs: hosts.includes(host) ? nowMs : (before.get(host)?.namedAtMs ?? 0) }
  }
  const kept = isComplete ? [] : known.named.map(({ host }) => host).filter((host) => !hosts.includes(host))
  const named = [...choose(hosts, before, inUse), ...kept].slice(0, MOST_NAMED)
  const rest = [...before.keys()].filter((host) => !named.includes(host) && !hosts.includes(host))
  return { named: named.map(seen), vanished: stillKept(rest.map(seen), learnt) }
}

// The first is the PDC emulator's as a rule. Of very many the known ones stay, or the list would change with every look.
function choose(
  hosts: readonly string[],
  before: ReadonlyMap<string, Controller>,
  inUse: string | undefined,
): readonly string[] {
  if (hosts.length <= MOST_NAMED) return hosts
  const [first, ...others] = hosts
  const rank = (host: string) =>
    host === inUse ? Number.POSITIVE_INFINITY : (before.get(host)?.servedAtMs ?? -1)
  const chosen = new Set([
    first,
    ...others.toSorted((a, b) => compare(rank(b), rank(a))).slice(0, MOST_NAMED - 1),
  ])
  return hosts.filter((host) => chosen.has(host))
}

// A difference of two infinities would be none.
const compare = (a: number, b: number): number => (a === b ? 0 : a - b)

function stillKept(controllers: readonly Controller[], { isComplete, nowMs, inUse }: Learnt): Controller[] {
  return controllers
    .filter(({ host, namedAtMs }) => !isComplete || host === inUse || nowMs - namedAtMs < KEPT_MS)
    .sort((a, b) => b.servedAtMs - a.servedAtMs || b.namedAtMs - a.namedAtMs)
    .slice(0, MOST_VANISHED)
}

/** The hosts in the order in which they are asked: the last writer, those that DNS names, those that it named. */
export function askingOrder({ named, vanished }: KnownControllers): readonly string[] {
  const all = [...named, ...vanished]
  const last = all.reduce<Controller | undefined>(
    (latest, one) => (one.servedAtMs > (latest?.servedAtMs ?? 0) ? one : latest),
    undefined,
  )
  return [...new Set([...(last ? [last] : []), ...all].map(({ host }) => host))]
}

/** The text to keep. */
export const rememberedAs = (domain: string, known: KnownControllers): string =>
  JSON.stringify({ domain, ...known })

/** What was kept of an earlier run, as far as its names may be used now; nothing of another domain, or of a text nobody can read. */
export function recallKnown(
  text: string | undefined,
  domain: string,
  within: readonly string[],
): KnownControllers {
  const known = keptSchema.safeParse(parsed(text)).data
  if (known?.domain !== domain) return NONE_KNOWN
  const allowed = (all: Controller[]) => all.filter(({ host }) => acceptHost(host, within) === host)
  return { named: allowed(known.named), vanished: allowed(known.vanished) }
}

const keptSchema = knownSchema.extend({ domain: z.string() })

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return undefined
  }
}
