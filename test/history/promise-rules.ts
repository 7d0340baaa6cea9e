// What the store must have said before anything is written (I10): a receipt for this server, and no pause that was heard.
import type { History, RequestTrack, SupervisorSaid } from './index-history.ts'
import type { Judge } from './judge.ts'
import { isEffect, type Modify, nameOf } from './modify.ts'

/** No write begins before its receipt is accepted, no fence without its lease, and nothing that an agent knew to be paused. */
export function afterItsPromise(history: History, judge: Judge): void {
  const pauses = findPauses(history)
  const pausedHere = findPausesHere(history)
  for (const modify of history.modifies) {
    const { seen } = modify
    const track = history.requests.get(modify.request ?? '')
    if (!track?.asked || seen.agent === null || modify.kind === 'none') continue
    judge.decide()
    if (modify.kind === 'fence') judgeFence(history, judge, track, modify)
    else judgeReceipt(history, judge, track, modify)
    const told = isEffect(modify) ? pauses.get(seen.agent)?.find((pause) => isWithin(seen, pause)) : undefined
    if (told)
      judge.violate(
        seen.sentAt,
        `sent though its agent had heard of a pause at ${told.from}: ${nameOf(modify)}`,
      )
    const here = isEffect(modify)
      ? pausedHere.get(seen.agent)?.find((pause) => isWithin(seen, pause))
      : undefined
    if (here)
      judge.violate(
        seen.sentAt,
        `sent though an operator had paused its agent at ${here.from}: ${nameOf(modify)}`,
      )
  }
}

/** A receipt holds for one request under one lease of one agent on one server. */
function judgeReceipt({ run }: History, judge: Judge, { receipts }: RequestTrack, modify: Modify): void {
  const { seen, marker } = modify
  const latest = seen.sentAt + (run.stampErrorMs ?? 0)
  const isPromised = receipts.some(
    ({ agent, lease, server, answer, at }) =>
      answer === 'accepted' &&
      agent === seen.agent &&
      server === seen.server &&
      at <= latest &&
      // What goes without a marker tells no lease.
      (marker === undefined || lease === marker.lease),
  )
  if (!isPromised) judge.violate(seen.sentAt, `sent before its receipt was accepted: ${nameOf(modify)}`)
}

/** After expiry the store takes no receipt any more, and who settles then may still fence: only under its own lease. */
function judgeFence({ run }: History, judge: Judge, { handedOut }: RequestTrack, modify: Modify): void {
  const { seen, marker } = modify
  const latest = seen.sentAt + (run.stampErrorMs ?? 0)
  const isLeased = handedOut.some(
    ({ agent, lease, at }) => agent === seen.agent && lease === marker?.lease && at <= latest,
  )
  if (!isLeased) judge.violate(seen.sentAt, `sent without its lease: ${nameOf(modify)}`)
}

/** A stretch of time in which the last word that an agent's process had heard was that all writing is paused. */
interface Pause {
  readonly from: number
  to: number
}

const isWithin = ({ sentAt }: Modify['seen'], { from, to }: Pause): boolean => sentAt > from && sentAt < to

/** By agent. A process that starts anew has heard nothing. */
function findPauses({ hearings, supervisor }: History): ReadonlyMap<string, readonly Pause[]> {
  const ends = supervisor.filter(
    (event): event is SupervisorSaid<'process'> =>
      event.kind === 'process' && ['started', 'killed', 'exited'].includes(event.what),
  )
  const words = [
    ...hearings.map(({ agent, at, on }) => ({ agent, at, on })),
    ...ends.map(({ agent, at }) => ({ agent, at, on: false })),
  ].sort((a, b) => a.at - b.at)
  return findStretches(words)
}

/** By agent, when an operator had paused it; a process that starts anew keeps to it. */
const findPausesHere = ({ supervisor }: History): ReadonlyMap<string, readonly Pause[]> =>
  findStretches(supervisor.filter((event) => event.kind === 'paused_here'))

function findStretches(
  words: readonly { readonly agent: string; readonly at: number; readonly on: boolean }[],
): ReadonlyMap<string, readonly Pause[]> {
  const pauses = new Map<string, Pause[]>()
  for (const { agent, at, on } of words) {
    const known = pauses.get(agent) ?? []
    const last = known.at(-1)
    const isOn = last?.to === Number.POSITIVE_INFINITY
    if (on && !isOn) known.push({ from: at, to: Number.POSITIVE_INFINITY })
    if (!on && last && isOn) last.to = at
    pauses.set(agent, known)
  }
  return pauses
}
