// Processes and clocks: I21 clocks that differ, I22 an agent that comes back can bind, I26 a clean stop.
import { LARGEST_CLOCK_SKEW_MS } from '../../src/protocol/identifiers.ts'
import type { History, ProxySaw, SupervisorSaid } from './index-history.ts'
import type { Judge, Rules } from './judge.ts'
import { LONGEST_UNASKED_MS } from './misdated.ts'
import { isEffect, type Modify, nameOf } from './modify.ts'

// An agent learns the store's time from the quick answers it gets; until then it cannot know.
const LEARNING_MS = 30_000
// Measuring another clock is not exact.
const UNCERTAIN_MS = 2_000
const MOST_MS = LARGEST_CLOCK_SKEW_MS + UNCERTAIN_MS
/** How long an agent may take to end after SIGTERM. */
const STOP_GRACE_MS = 30_000

interface Skew {
  readonly from: number
  readonly to: number
  readonly agent: string
  /** Between the agent and the store alone. */
  readonly own: number
  readonly largest: number
  /** That of a write there: other servers' clocks are none of it. */
  readonly of: (server: string) => number
}

/**
 * Small differences change nothing; with large ones nothing is written. Excused: a write on a server whose clock was set since
 * the agent had asked for it.
 */
function clocks(history: History, judge: Judge): void {
  const set = history.supervisor.filter((event) => event.kind === 'clock')
  if (set.length === 0) return
  const skews = findSkews(history, set)
  for (const modify of history.modifies.filter(isEffect)) {
    const { agent, sentAt, server } = modify.seen
    judge.decide()
    const apart = skews.filter((one) => one.agent === agent && one.of(server) > MOST_MS && one.from < sentAt)
    const skew = apart.find(({ from, to }) => sentAt > from + LEARNING_MS && sentAt < to)
    if (!skew) continue
    if (skew.own <= MOST_MS && isUnasked(history, modify, apart)) judge.excuse()
    else judge.violate(sentAt, `with clocks ${Math.round(skew.of(server))} ms apart: ${nameOf(modify)}`)
  }
  judgeAlarms(history, judge, Math.max(...skews.map(({ largest }) => largest)))
}

/**
 * True when the clocks are apart, without a break, since the server's was set within the minute before, and the agent has not signed
 * in there since. `apart`: the stretches in which they are, in the order of time.
 */
function isUnasked({ supervisor, binds }: History, { seen }: Modify, apart: readonly Skew[]): boolean {
  const { agent, server, sentAt } = seen
  const begun = apart.findLast(({ from }, index) => apart[index - 1]?.to !== from)?.from ?? 0
  const isSet = supervisor.some(
    (event) => event.kind === 'clock' && event.of === server && event.at === begun,
  )
  const hasAsked = binds.some(
    (bind) =>
      bind.agent === agent && bind.server === server && bind.accepted && bind.at >= begun && bind.at < sentAt,
  )
  return isSet && !hasAsked && sentAt <= begun + LONGEST_UNASKED_MS
}

function judgeAlarms({ requests }: History, judge: Judge, largest: number): void {
  if (largest >= LARGEST_CLOCK_SKEW_MS - UNCERTAIN_MS) return
  for (const { reported, id } of requests.values())
    for (const { reason, at } of reported)
      if (reason === 'clock_skew') {
        judge.decide()
        judge.violate(at, `request ${id} failed for clocks that differ by ${Math.round(largest)} ms at most`)
      }
}

/** For each agent the stretches of time with the largest difference between it, the store and the directory servers. */
function findSkews(history: History, set: readonly SupervisorSaid<'clock'>[]): readonly Skew[] {
  const agents = new Set(history.modifies.map(({ seen }) => seen.agent ?? ''))
  const servers = new Set(history.modifies.map(({ seen }) => seen.server))
  for (const event of history.supervisor) {
    if (event.kind === 'process') agents.add(event.agent)
    // One that was only read from counts as well.
    if (event.kind === 'server') servers.add(event.server)
  }
  const ahead = new Map<string, number>()
  const skews: Skew[] = []
  const times = [0, ...set.map(({ at }) => at), Number.POSITIVE_INFINITY]
  for (const [index, from] of times.slice(0, -1).entries()) {
    const event = set[index - 1]
    if (event) ahead.set(event.of, event.aheadMs)
    const store = ahead.get('store') ?? 0
    const apart = new Map([...servers].map((one) => [one, Math.abs(store - (ahead.get(one) ?? 0))]))
    for (const agent of agents) {
      const own = Math.abs(store - (ahead.get(agent) ?? 0))
      skews.push({
        ...{ from, to: times[index + 1] as number, agent, own },
        largest: Math.max(own, ...apart.values()),
        of: (server) => Math.max(own, apart.get(server) ?? 0),
      })
    }
  }
  return skews
}

interface Life {
  readonly agent: string
  readonly from: number
  readonly to: number
}

/** An agent that starts can bind before long, whatever happened to it before. */
function canBindAgain(history: History, judge: Judge): void {
  const binds = Map.groupBy(
    history.binds.filter(({ who }) => who === 'service'),
    ({ agent }) => agent ?? '',
  )
  for (const { agent, from, to } of findLives(history)) {
    const own = (binds.get(agent) ?? []).filter(({ at }) => at >= from && at <= to)
    if (own.length === 0) continue
    judge.decide()
    const [first] = own as [ProxySaw<'bind'>]
    const isWorking = own.some(({ accepted }) => accepted)
    if (!isWorking && to - Math.max(first.at, history.faultsOver ?? 0) > history.run.drainMs)
      judge.violate(to, `agent ${agent}, started at ${from}, never had a working credential`)
  }
}

function findLives({ supervisor, endsAt }: History): readonly Life[] {
  const since = new Map<string, number>()
  const lives: Life[] = []
  for (const event of supervisor) {
    if (event.kind !== 'process') continue
    const { agent, what, at } = event
    const from = since.get(agent)
    if (what === 'started') since.set(agent, at)
    else if ((what === 'killed' || what === 'exited') && from !== undefined) {
      lives.push({ agent, from, to: at })
      since.delete(agent)
    }
  }
  for (const [agent, from] of since) lives.push({ agent, from, to: endsAt })
  return lives
}

/** Asked to end, an agent ends in time and well, and sends nothing afterwards. */
function cleanStop(history: History, judge: Judge): void {
  const asked = new Map<string, number>()
  for (const [index, event] of history.supervisor.entries()) {
    if (event.kind !== 'process') continue
    const { agent, what, at } = event
    const since = asked.get(agent)
    if (what === 'asked_to_end') asked.set(agent, since ?? at)
    // Stopped or killed by somebody else meanwhile: no stop of its own.
    else if (what !== 'exited') asked.delete(agent)
    else if (since !== undefined) {
      asked.delete(agent)
      judge.decide()
      judgeExit(judge, event, since)
      judgeSilence(history, judge, event, index)
    }
  }
  for (const [agent, since] of asked) {
    judge.decide()
    if (history.endsAt - since > STOP_GRACE_MS)
      judge.violate(history.endsAt, `agent ${agent} was asked to end at ${since}, and did not`)
  }
}

function judgeExit(judge: Judge, { agent, at, status }: SupervisorSaid<'process'>, since: number): void {
  if (status !== undefined && status !== 0)
    judge.violate(at, `agent ${agent} was asked to end, and ended with ${status}`)
  else if (at - since > STOP_GRACE_MS)
    judge.violate(at, `agent ${agent} took ${Math.round(at - since)} ms to end`)
}

/** What was sent before the end is whole, and nothing follows it. */
function judgeSilence(
  { supervisor, modifies, requests, hasAudit, run }: History,
  judge: Judge,
  { agent, at }: SupervisorSaid<'process'>,
  index: number,
): void {
  const restart = supervisor
    .slice(index)
    .find((event) => event.kind === 'process' && event.agent === agent && event.what === 'started')
  const until = restart?.at ?? Number.POSITIVE_INFINITY
  for (const modify of modifies) {
    if (modify.seen.agent !== agent || modify.seen.sentAt <= at || modify.seen.sentAt >= until) continue
    judge.violate(modify.seen.sentAt, `after agent ${agent} had ended: ${nameOf(modify)}`)
  }
  if (!hasAudit) return
  const tolerance = run.journalErrorMs ?? 0
  for (const { intents, id } of requests.values())
    for (const intent of intents)
      if (intent.agent === agent && intent.at > at + tolerance && intent.at < until)
        judge.violate(intent.at, `agent ${agent} began a write of request ${id} after it had ended`)
}

/** The rules of processes and clocks. */
export const processRules: Rules = { I21: clocks, I22: canBindAgain, I26: cleanStop }
