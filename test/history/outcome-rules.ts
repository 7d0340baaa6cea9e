// What was promised to whoever asked: I1 no loss, I5 honest `unknown`, I9 replay-proof, I19 whole results, I20 liveness.
import { SETTLE_AFTER_EXPIRY_MS } from '../../src/protocol/identifiers.ts'
import { parseMarker } from '../../src/protocol/marker.ts'
import type { AccountTrack, AuditSaid, History, RequestTrack, StoreSaid, Trouble } from './index-history.ts'
import type { Judge, Rules } from './judge.ts'
import { isEffect } from './modify.ts'

const OUTCOMES = new Set(['applied', 'refused', 'superseded', 'expired', 'unknown', 'failed'])

/** Every request that was handed out has one verdict in the end, and somebody who decided it. */
function noLoss(history: History, judge: Judge): void {
  for (const track of history.requests.values()) {
    if (track.handedOut.length === 0 || !track.asked) continue
    const { verdict, id } = track
    judge.decide()
    if (!verdict) {
      judge.violate(history.endsAt, `request ${id} was handed out, and nobody asked for its verdict`)
      continue
    }
    const { outcome, at } = verdict
    if (outcome === null) {
      if (at >= deadlineOf(history, track)) judge.violate(at, `request ${id} has no outcome`)
    } else if (!OUTCOMES.has(outcome)) judge.violate(at, `request ${id} ended with ${outcome}`)
    else if (!isByStore(outcome) && !track.reported.some((report) => report.outcome === outcome))
      judge.violate(at, `the verdict ${outcome} of request ${id} was reported by no agent`)
  }
}

/** The store may say by itself that a request expired or that nobody knows. */
const isByStore = (outcome: string): boolean => outcome === 'expired' || outcome === 'unknown'

/** When a request must have its verdict at the latest. */
function deadlineOf(history: History, { asked }: RequestTrack): number {
  if (!asked) return Number.POSITIVE_INFINITY
  const { run, faultsOver, troubles } = history
  const settled = asked.expiresAt + SETTLE_AFTER_EXPIRY_MS + run.drainMs
  if (faultsOver === undefined) return settled
  const healthy = Math.max(faultsOver, asked.issuedAt) + run.drainMs
  // A writer that lost its role is in the way of those accounts alone whose writes may have gone there.
  const promised = history.promised.get(asked.account)
  const isInTheWay = ({ what, of, from, to }: Trouble) =>
    to > faultsOver &&
    from < healthy &&
    (!what.startsWith('fault writer_moved') || of.some((server) => promised?.has(server)))
  // What still stands in the way leaves only the time that the contract gives.
  return troubles.some(isInTheWay) ? settled : healthy
}

/** `unknown` is only said when a write may be under way and nothing could be found out before expiry; else it is settled. */
function honestUnknown(history: History, judge: Judge): void {
  for (const track of history.requests.values()) {
    const { asked, verdict, id } = track
    const first = track.reported.find(({ outcome, answer }) => outcome === 'unknown' && answer === 'accepted')
    if (!asked || history.forgotten.has(id)) continue
    if (verdict?.outcome !== 'unknown' && !first) {
      if (verdict?.outcome && wasInDoubt(track)) judge.decide()
      continue
    }
    const at = first?.at ?? verdict?.closedAt ?? asked.expiresAt + SETTLE_AFTER_EXPIRY_MS
    const isSent = mayBeSent(track)
    if (isSent && (isHidden(history, track, at) || wasOutOfReach(history, track, at))) {
      judge.excuse()
      continue
    }
    judge.decide()
    if (!isSent) judge.violate(at, `request ${id} ended unknown, and nothing of it can have been sent`)
    else judge.violate(at, `request ${id} ended unknown, though the directory could have been asked`)
  }
}

/** An answer was lost on the way, and the request ended by something else than `unknown`. */
const wasInDoubt = ({ modifies, intents }: RequestTrack): boolean =>
  modifies.some((modify) => isEffect(modify) && modify.answeredAt === undefined) || intents.some(isOpenWrite)

const mayBeSent = (track: RequestTrack): boolean =>
  track.modifies.some(isEffect) ||
  track.intents.some(({ effect, answer }) => effect !== 'fence' && answer !== 'not_sent') ||
  track.receipts.some(({ answer }) => answer === 'accepted')

/**
 * Who ended the request found a text in the marker's place that nobody of this system wrote, wherever it had come from. One that
 * another store wrote hides only what was sent before by somebody else, or from another marker: that may lie under it.
 */
function isAlienMarker(history: History, { reads }: AccountTrack, track: RequestTrack, at: number): boolean {
  const report = track.reported.find(({ outcome }) => outcome === 'unknown')
  const text = reads.get(report?.agent ?? null)?.findLast((read) => read.at <= at)?.marker
  if (typeof text !== 'string') return false
  const marker = parseMarker(text)
  if (marker === undefined) return true
  const own = history.modifies.find(
    (modify) => modify.marker && history.requests.get(modify.marker.requestId)?.asked,
  )?.marker?.store
  if (own === undefined || marker.store === own) return false
  const isEarlier = ({ answer, lease }: StoreSaid<'receipt'>) =>
    answer === 'accepted' && lease !== report?.lease
  return (
    track.receipts.some(isEarlier) ||
    track.intents.some(
      (intent) => isOpenWrite(intent) && intent.markerBefore?.toLowerCase() !== text.toLowerCase(),
    )
  )
}

const isOpenWrite = ({ effect, answer }: AuditSaid<'intent'>): boolean =>
  effect !== 'fence' && (answer === null || answer === 'lost')

const CLOSING = new Set(['excluded', 'deleted', 'recreated'])

/** True when the account itself could not tell any more: gone, not to be written, its marker overwritten. */
function isHidden(history: History, track: RequestTrack, at: number): boolean {
  const account = history.accounts.get(track.asked?.account ?? '')
  if (!account) return true
  const since = track.handedOut[0]?.at ?? 0
  const isNewer = account.modifies.some(
    ({ seen, effect, marker }) =>
      effect !== 'refused' && seen.at <= at && (marker?.sequence ?? 0) > (track.asked?.sequence ?? 0),
  )
  const isFenceRefused = track.modifies.some(
    ({ kind, code }) =>
      kind === 'fence' && code !== undefined && ![0, 3, 11, 16, 19, 20, 51, 52].includes(code),
  )
  const isForeign = account.foreign.some(
    ({ what, at: when }) => what === 'marker' && when >= since && when <= at,
  )
  // Not even a fence is written to an account that must not be written, or is gone, so what another agent began stays in
  // doubt: that it was gone before nobody tells.
  const isClosed =
    account.known?.mayBeWritten === false ||
    account.foreign.some(({ what, at: when }) => CLOSING.has(what) && when <= at)
  const isAlien = isAlienMarker(history, account, track, at)
  return isNewer || isFenceRefused || isForeign || isClosed || isAlien || history.run.withoutMarker === true
}

/**
 * A server that may hold the write, or whoever held the request, was away near its end. Before that the doubt must wait, and
 * what stood in the way of others excuses nobody.
 */
function wasOutOfReach({ troubles, run }: History, track: RequestTrack, at: number): boolean {
  const { asked, receipts, handedOut } = track
  if (!asked || at < asked.expiresAt) return false
  const names = new Set([
    ...receipts.flatMap(({ answer, server }) => (answer === 'accepted' ? server : [])),
    ...handedOut.map(({ agent }) => agent),
    ...EVERYBODYS,
  ])
  return troubles.some(
    ({ from, to, of }) =>
      from <= at && to >= asked.expiresAt - run.drainMs && of.every((name) => names.has(name)),
  )
}

/** The ways that every agent goes. */
const EVERYBODYS = ['store', 'directory']

/** However often a request is delivered, it ends once, and with the same outcome. */
function replayProof(history: History, judge: Judge): void {
  for (const track of history.requests.values()) {
    const { reported, handedOut, verdict, id } = track
    if (history.forgotten.has(id) || (reported.length < 2 && handedOut.length < 2)) continue
    judge.decide()
    const accepted = reported.filter(({ answer }) => answer === 'accepted')
    const ends = new Set(accepted.map(({ outcome }) => outcome).filter((outcome) => outcome !== 'unknown'))
    const said = verdict?.outcome ?? undefined
    const [end] = ends
    if (ends.size > 1)
      judge.violate(accepted.at(-1)?.at ?? 0, `request ${id} ended as ${[...ends].join(' and ')}`)
    else if (end !== undefined && said !== undefined && said !== end)
      judge.violate(verdict?.at ?? 0, `request ${id} ended as ${end}, and its verdict is ${said}`)
  }
}

/** Every delivery is signed, and an agent always sends the same bytes for a request. */
function wholeResults(history: History, judge: Judge): void {
  for (const { reported, id } of history.requests.values()) {
    const digests = new Map<string, string>()
    for (const { agent, digest, isSigned, at } of reported) {
      judge.decide()
      if (!isSigned) judge.violate(at, `agent ${agent} reported request ${id} without its signature`)
      const known = digests.get(agent) ?? digest
      if (known !== digest) judge.violate(at, `agent ${agent} reported request ${id} in different bytes`)
      digests.set(agent, known)
    }
  }
}

/** When the faults are over the rest of the work is done soon, and nobody waits for another one's trouble. */
function liveness(history: History, judge: Judge): void {
  for (const track of history.requests.values()) {
    const { verdict, handedOut } = track
    if (!track.asked || !verdict || verdict.outcome === null || handedOut.length === 0) continue
    const closedAt = verdict.closedAt ?? firstAccepted(track)?.at
    if (closedAt === undefined) continue
    judge.decide()
    const late = closedAt - deadlineOf(history, track)
    if (late > 0) judge.violate(closedAt, `request ${track.id} ended ${Math.round(late)} ms too late`)
  }
}

const firstAccepted = ({ reported }: RequestTrack): StoreSaid<'reported'> | undefined =>
  reported.find(({ answer }) => answer === 'accepted')

/** The rules of what is promised and told. */
export const outcomeRules: Rules = {
  I1: noLoss,
  I5: honestUnknown,
  I9: replayProof,
  I19: wholeResults,
  I20: liveness,
}
