// Probes: resets of an account that is there for nothing else, which the store asks for on a clock. They are carried out like all
// others; here they are only watched, so that a broken way is known before a user finds it.
import { parseMarker } from '../protocol/marker.ts'
import { errorFields } from '../telemetry/logger.ts'
import type { AgentBase } from './agent-base.ts'
import { readOwnOutcome } from './read-own-outcome.ts'

type Parts = Pick<
  AgentBase,
  'config' | 'journal' | 'conditions' | 'storeTime' | 'clock' | 'directories' | 'enrolled' | 'log'
>

/** How the probes of one directory are. Times by the store's clock, milliseconds since 1970; null where there is none. */
export interface ProbeView {
  readonly directory: string
  readonly expectEveryMs: number
  /** The newest that ended at this agent. */
  readonly last: {
    readonly request: string
    readonly outcome: string
    readonly reason: string | null
    readonly at: number
  } | null
  /** When the newest that was applied was issued, also one that another agent carried out, as far as it was looked for. */
  readonly lastAppliedAt: number | null
}

/** The watch of one agent. */
export interface ProbeWatch {
  /** Raises and clears the conditions. Called on the clock. */
  readonly look: () => Promise<void>
  /** Throws ERR_JOURNAL_UNUSABLE. */
  readonly list: () => readonly ProbeView[]
}

interface Watched {
  readonly directory: string
  readonly account: string
  readonly expectEveryMs: number
  /** Sequence of the newest applied probe that the account's marker told of: an agent beside this one may have done it. */
  seen: number
}

const MINUTE_MS = 60_000
const LATE_AFTER_INTERVALS = 2

/** The accounts that are probed, by directory. */
export const probedAccounts = (
  directories: AgentBase['config']['directories'],
): ReadonlyMap<string, string> =>
  new Map(Object.entries(directories).flatMap(([name, { probe }]) => (probe ? [[name, probe.account]] : [])))

/** Makes the watch; time without a probe counts from here. */
export function createProbeWatch(parts: Parts): ProbeWatch {
  const { config, clock } = parts
  const since = clock.monotonicMs()
  const watched = Object.entries(config.directories).flatMap(([directory, { probe }]): Watched[] =>
    probe
      ? [{ directory, account: probe.account, expectEveryMs: probe.expectEveryMinutes * MINUTE_MS, seen: 0 }]
      : [],
  )
  const lookAt = async (one: Watched) => {
    const first = judge(parts, one, since)
    // Asked only when an alarm is near: the marker tells what the other agents of the directory did.
    if (first.failed ?? first.late) await readMarker(parts, one)
    const { failed, late } = judge(parts, one, since)
    tell(parts, 'probe_failed', one.directory, failed)
    tell(parts, 'probe_late', one.directory, late)
  }
  return {
    look: async () => {
      for (const one of watched) await lookAt(one)
    },
    list: () => watched.map((one) => viewOf(parts, one)),
  }
}

type Last = NonNullable<ProbeView['last']> & { readonly sequence: number }

function readLast({ journal }: Pick<Parts, 'journal'>, { directory, account }: Watched): Last | undefined {
  const ended = journal.lastEnded(directory, account)
  if (ended === undefined) return undefined
  const { outcome, reason, decidedAt } = readOwnOutcome(ended.bytes)
  return {
    ...{ request: ended.requestId, sequence: ended.sequence },
    ...{
      outcome: String(outcome),
      reason: typeof reason === 'string' ? reason : null,
      at: Number(decidedAt),
    },
  }
}

/** A sequence is the store's time at which the request was issued. */
const lastAppliedAt = ({ journal }: Pick<Parts, 'journal'>, { directory, account, seen }: Watched): number =>
  Math.max(seen, journal.lastEnded(directory, account, 'applied')?.sequence ?? 0)

function viewOf(parts: Pick<Parts, 'journal'>, one: Watched): ProbeView {
  const last = readLast(parts, one)
  return {
    ...{ directory: one.directory, expectEveryMs: one.expectEveryMs },
    last: last ? { request: last.request, outcome: last.outcome, reason: last.reason, at: last.at } : null,
    lastAppliedAt: lastAppliedAt(parts, one) || null,
  }
}

interface Judgement {
  readonly failed: string | undefined
  readonly late: string | undefined
}

/** What there is to say, in words; undefined: nothing. */
function judge(parts: Parts, one: Watched, since: number): Judgement {
  const { storeTime, clock } = parts
  const last = readLast(parts, one)
  const hasFailed = last !== undefined && last.outcome !== 'applied' && last.sequence > one.seen
  const appliedAt = lastAppliedAt(parts, one)
  const runningMs = clock.monotonicMs() - since
  const waitedMs = appliedAt === 0 ? runningMs : storeTime.nowMs() - appliedAt
  const isLate =
    !storeTime.isUncertain() &&
    waitedMs > LATE_AFTER_INTERVALS * one.expectEveryMs &&
    // The store may have waited for this very agent.
    runningMs > one.expectEveryMs
  const every = `one is expected every ${one.expectEveryMs / MINUTE_MS} min`
  return {
    failed: hasFailed ? `${wordsOf(last)}: request ${last.request}` : undefined,
    late: isLate ? `none was applied for ${Math.floor(waitedMs / MINUTE_MS)} min; ${every}` : undefined,
  }
}

const wordsOf = ({ outcome, reason }: Last): string =>
  `the last probe ended ${outcome}${reason === null ? '' : ` ${reason}`}`

function tell(
  { conditions }: Pick<Parts, 'conditions'>,
  code: 'probe_failed' | 'probe_late',
  directory: string,
  detail: string | undefined,
): void {
  if (detail === undefined) conditions.clear(code, directory)
  else conditions.raise(code, directory, detail)
}

async function readMarker({ directories, enrolled, log }: Parts, one: Watched): Promise<void> {
  const { directory, account: anchor } = one
  try {
    const session = await directories.get(directory)?.directory.writer()
    const account = await session?.readAccount({ anchor, objectGuid: null }, 'inspect')
    if (account === undefined || account === 'ambiguous') return
    const marker = parseMarker(account.marker ?? '')
    if (marker?.store === enrolled.store && marker.flag === 'applied')
      one.seen = Math.max(one.seen, marker.sequence)
  } catch (error) {
    // A directory that is away has a condition of its own.
    log.debug('the probed account cannot be read', { directory, ...errorFields(error) })
  }
}
