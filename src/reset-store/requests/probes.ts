// Probes: now and then the store itself asks for a reset of an account that is there for nothing else, by the same rules as
// everybody, so that a way that is broken is known before a user finds it.
import type { Probe, RunProbeAnswer } from '../../protocol/administration-calls.ts'
import { sealToAgents } from '../../protocol/seal-to-agents.ts'
import { errorFields } from '../../telemetry/logger.ts'
import type { RequestRecord, Transaction, UserRecord } from '../database/repository.ts'
import { CallRefused } from './call-refused.ts'
import { inTime } from './close-overdue.ts'
import { createRequest } from './create-request.ts'
import { isPaused } from './pause.ts'
import { makeProbePassword } from './probe-password.ts'
import { sealRequest } from './seal-request.ts'
import type { StoreContext } from './store-context.ts'
import { stateOf } from './verdict.ts'

/** A user of the store that is probed. */
export interface ProbeWish {
  readonly user: string
  readonly everyMs: number
}

/** The probes of one store. */
export interface Probes {
  /** How the last probe of each user ended. */
  readonly list: () => Promise<{ readonly probes: Probe[] }>
  /**
   * Begins a probe; while one is open, that one is the answer. Throws CallRefused `user_not_found`, `no_agent`,
   * `too_many_requests`.
   */
  readonly run: (user: string) => Promise<RunProbeAnswer>
  /** Begins what is due, and then on the clock. */
  readonly start: () => { readonly stop: () => Promise<void> }
}

/** Who begins these requests: no administrator has this name, so nobody else seals one. */
const CREATOR = 'store:probe'
const ACTOR = { kind: 'administrator', name: 'probe', methods: [] as string[] } as const
const LOOK_EVERY_MS = 500
const LATE_AFTER_INTERVALS = 2
const LONGEST_PROBLEM = 500

interface Tracked extends ProbeWish {
  /** When this process began to look. */
  readonly since: number
  /** Not before this wall time is there anything to do by the clock. */
  dueAt: number
  beginning: Promise<RunProbeAnswer> | undefined
  problem: string | undefined
  /** The request that the log was told of last. */
  told: string | undefined
}

/** Makes them; the clock runs from `start` on. */
export function createProbes(context: StoreContext, wishes: readonly ProbeWish[]): Probes {
  const tracked = wishes.map(
    (wish): Tracked => ({
      ...{ ...wish, since: context.clock.wallMs(), dueAt: 0 },
      ...{ beginning: undefined, problem: undefined, told: undefined },
    }),
  )
  return {
    list: async () => ({ probes: await Promise.all(tracked.map((one) => describe(context, one))) }),
    run: (user) => {
      const one = tracked.find((wish) => wish.user === user)
      if (!one) throw new CallRefused('user_not_found', 'the configuration names no probe of this user')
      return beginOnce(context, one)
    },
    start: () => {
      const stopped = new AbortController()
      const running = tracked.length === 0 ? Promise.resolve() : lookUntil(context, tracked, stopped.signal)
      return {
        stop: async () => {
          stopped.abort()
          await running
        },
      }
    },
  }
}

async function lookUntil(
  context: StoreContext,
  tracked: readonly Tracked[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    for (const one of tracked) if (mustLook(one, context.clock.wallMs())) await beginIfDue(context, one)
    await context.clock.sleep(LOOK_EVERY_MS, signal)
  }
}

// A clock that stood ahead for a while must not put the next one off until then.
const mustLook = ({ dueAt, everyMs }: Tracked, now: number): boolean => dueAt <= now || dueAt > now + everyMs

async function beginIfDue(context: StoreContext, one: Tracked): Promise<void> {
  try {
    const { last, paused } = await inTime(context, async (records) => ({
      last: await findLast(records, await findUser(records, one.user)),
      paused: await isPaused(records),
    }))
    const now = context.clock.wallMs()
    const nextAt = last === undefined || last.createdAt > now ? 0 : last.createdAt + one.everyMs
    if (nextAt > now) {
      one.dueAt = nextAt
      one.problem = undefined
    } else if (!paused && (last === undefined || last.state === 'closed')) {
      tellEnd(context, one, last)
      await beginOnce(context, one)
    }
  } catch (error) {
    const fields = errorFields(error)
    const problem = String(fields['error'])
      .replace(/\p{Cc}/gu, ' ')
      .slice(0, LONGEST_PROBLEM)
    if (one.problem !== problem) context.log.warn('a probe cannot be begun', fields)
    one.problem = problem
  }
}

function tellEnd({ log }: StoreContext, one: Tracked, last: RequestRecord | undefined): void {
  if (!last?.closing || last.closing.outcome === 'applied' || one.told === last.id) return
  const { outcome, reason } = last.closing
  log.warn('the last probe was not applied', { request: last.id, outcome, reason })
  one.told = last.id
}

/** The clock and an administrator may ask at the same time. */
function beginOnce(context: StoreContext, one: Tracked): Promise<RunProbeAnswer> {
  one.beginning ??= begin(context, one.user)
    .then((begun) => {
      one.problem = undefined
      return begun
    })
    .finally(() => {
      one.beginning = undefined
    })
  return one.beginning
}

async function begin(context: StoreContext, name: string): Promise<RunProbeAnswer> {
  const { user, last, policies } = await inTime(context, async (records) => {
    const user = await findUser(records, name)
    const published = await records.readPolicies(user.directory)
    return { user, last: await findLast(records, user), policies: published?.policies.policies ?? [] }
  })
  // What was begun and never sealed, because the store ended in between, runs out by itself.
  if (last && last.state !== 'closed') return { request: last.id, expiresAt: last.expiresAt }
  const { anchor, directory } = user
  const call = { directory, operation: 'reset', options: {}, actor: { ...ACTOR } } as const
  const created = await createRequest(context, CREATOR, anchor, call)
  const password = makeProbePassword(policies)
  try {
    await sealRequest(context, CREATOR, created.request, await sealToAgents(created, [password]))
  } finally {
    password.fill(0)
  }
  context.log.info('probe begun', { request: created.request, directory })
  return { request: created.request, expiresAt: created.expiresAt }
}

async function findUser(records: Transaction, name: string): Promise<UserRecord> {
  const user = await records.findUserByName(name)
  if (!user) throw new CallRefused('user_not_found', 'the user that is to be probed is not in the store')
  return user
}

const findLast = (records: Transaction, user: UserRecord): Promise<RequestRecord | undefined> =>
  records.findLastBegun(user, CREATOR)

function describe(context: StoreContext, { user: name, everyMs, since, problem }: Tracked): Promise<Probe> {
  return inTime(context, async (records, now) => {
    const user = await records.findUserByName(name)
    const last = user && (await findLast(records, user))
    const applied = user && (await records.findLastBegun(user, CREATOR, 'applied'))
    const lastAppliedAt = applied?.createdAt ?? null
    return {
      ...{ user: name, everyMs, lastAppliedAt },
      last: last ? endOf(last, now) : null,
      late: now - (lastAppliedAt ?? since) > LATE_AFTER_INTERVALS * everyMs,
      problem: user ? (problem ?? null) : 'the store has no user of this name',
    }
  })
}

const endOf = (request: RequestRecord, now: number): NonNullable<Probe['last']> => ({
  ...{ request: request.id, state: stateOf(request, now), createdAt: request.createdAt },
  outcome: request.closing?.outcome ?? null,
  reason: (request.closing?.reason ?? null) as NonNullable<Probe['last']>['reason'],
  detail: request.closing?.detail ?? null,
  closedAt: request.closing?.at ?? null,
})
