// What is left behind: I16 no plaintext, I23 the agent's records against what the proxy saw, I24 bounded.
import type { AuditSaid, History, RequestTrack, SupervisorSaid } from './index-history.ts'
import type { Judge, Rules } from './judge.ts'
import { isEffect, type Modify, nameOf } from './modify.ts'

/** No secret is found in anything that was searched. */
function noPlaintext({ supervisor }: History, judge: Judge): void {
  for (const event of supervisor) {
    if (event.kind === 'searched' && event.bytes > 0) judge.decide(event.sinks)
    if (event.kind === 'leak') {
      judge.decide()
      judge.violate(event.at, `${event.secret} as ${event.form} in ${event.sink}`)
    }
  }
}

function recorded(history: History, judge: Judge): void {
  audited(history, judge)
  told(history, judge)
}

/** Every modify was written down once before it was sent, and what was written down of its answer is true. */
function audited(history: History, judge: Judge): void {
  if (!history.hasAudit) return
  const tolerance = (history.run.stampErrorMs ?? 0) + (history.run.journalErrorMs ?? 0)
  for (const track of history.requests.values()) {
    const intents = Map.groupBy(track.intents, ({ markerAfter }) => markerAfter.toLowerCase())
    for (const modify of track.modifies) {
      judge.decide()
      const own = intents.get(modify.markerAfter ?? '') ?? []
      const [intent, second] = own
      if (!intent) judge.violate(modify.seen.at, `without an intent: ${nameOf(modify)}`)
      else if (second) judge.violate(modify.seen.at, `with ${own.length} intents: ${nameOf(modify)}`)
      else if (intent.at > modify.seen.sentAt + tolerance)
        judge.violate(modify.seen.at, `sent before its intent was written down: ${nameOf(modify)}`)
    }
    judgeAnswers(judge, track)
    judgeOutcomes(judge, track)
    if (!history.forgotten.has(track.id)) judgeEnd(judge, track)
  }
}

/** An answer in the journal is what the directory said; a duplicate on the way makes two modifies of one intent. */
function judgeAnswers(judge: Judge, { intents, modifies, id }: RequestTrack): void {
  const seen = Map.groupBy(modifies, ({ markerAfter }) => markerAfter ?? '')
  for (const intent of intents) {
    const arrived = seen.get(intent.markerAfter.toLowerCase()) ?? []
    const fault = findAnswerFault(intent, arrived)
    if (fault) judge.violate(intent.at, `attempt ${intent.n} of request ${id} ${fault}`)
  }
}

function findAnswerFault({ answer }: AuditSaid<'intent'>, arrived: readonly Modify[]): string | undefined {
  if (answer === 'accepted' && !arrived.some(({ effect }) => effect !== 'refused'))
    return 'is written down as accepted, and nothing of it landed'
  if (answer === 'not_sent' && arrived.length > 0) return 'is written down as not sent, and it arrived'
  if (
    answer?.startsWith('refused') &&
    arrived.length > 0 &&
    arrived.every(({ effect }) => effect === 'landed')
  )
    return 'is written down as refused, and it landed'
  return undefined
}

/** What an agent reports is what it wrote down. */
function judgeOutcomes(judge: Judge, { outcomes, reported, id }: RequestTrack): void {
  for (const { agent, outcome, at } of reported) {
    const own = outcomes.filter((one) => one.agent === agent)
    if (own.length > 1) judge.violate(at, `agent ${agent} wrote down ${own.length} outcomes of request ${id}`)
    else if (own[0]?.outcome !== outcome)
      judge.violate(
        at,
        `agent ${agent} reported ${outcome} for request ${id}, and wrote down ${own[0]?.outcome}`,
      )
  }
}

/** A request that was written has an end written down somewhere, unless the store takes it from its agent unknowing. */
function judgeEnd(judge: Judge, { outcomes, reported, modifies, id, verdict }: RequestTrack): void {
  const isLeftOpen = outcomes.length === 0 && reported.length === 0 && verdict?.outcome !== 'unknown'
  if (verdict && isLeftOpen && modifies.some(isEffect))
    judge.violate(verdict.at, `request ${id} was written, and no agent wrote down how it ended`)
}

/** The audit record is whole, and tells each write and each end that its agent's journal knows once. */
function told({ chains, requests }: History, judge: Judge): void {
  for (const { agent, at, faults, isClosed } of chains) {
    judge.decide()
    for (const fault of faults) judge.violate(at, `the audit record of agent ${agent}: ${fault}`)
    for (const track of requests.values()) judgeTold(judge, track, agent, isClosed)
  }
}

function judgeTold(judge: Judge, track: RequestTrack, agent: string, isClosed: boolean): void {
  const own = track.told.filter((one) => one.agent === agent)
  const countOf = (what: 'intent' | 'result' | 'outcome', n: number) =>
    own.filter((one) => one.what === what && one.n === n).length
  const hold = (count: number, at: number, what: string) => {
    judge.decide()
    if (count > 1 || (count === 0 && isClosed))
      judge.violate(at, `the audit record of agent ${agent} tells ${count} times the ${what} of ${track.id}`)
  }
  for (const { agent: writer, n, at } of track.intents) {
    if (writer !== agent) continue
    hold(countOf('intent', n), at, `intent ${n}`)
    hold(countOf('result', n), at, `result ${n}`)
  }
  for (const one of track.outcomes) if (one.agent === agent) hold(countOf('outcome', 0), one.at, 'outcome')
  // Whatever reached the directory was told before: its marker stands in an intent.
  const markers = new Set(own.flatMap(({ what, marker }) => (what === 'intent' && marker ? [marker] : [])))
  for (const modify of track.modifies)
    if (modify.seen.agent === agent && modify.markerAfter && !markers.has(modify.markerAfter))
      judge.violate(modify.seen.at, `not in the audit record of agent ${agent}: ${nameOf(modify)}`)
}

/** What an agent's heap may grow by over a run, in bytes. */
const HEAP_GROWTH_BYTES = 64 * 1024 * 1024

/** Files, sockets and queue keys come back to what they were; the heap stays within its bound. */
function bounded({ supervisor }: History, judge: Judge): void {
  const before = new Map<string, SupervisorSaid<'held'>>()
  for (const event of supervisor) {
    if (event.kind !== 'held') continue
    const first = before.get(event.agent)
    if (event.when === 'before') before.set(event.agent, event)
    else if (first) {
      judge.decide()
      const grown = [
        event.files > first.files ? `${event.files - first.files} files` : '',
        event.queueKeys > first.queueKeys ? `${event.queueKeys - first.queueKeys} queue keys` : '',
        event.heapBytes > first.heapBytes + HEAP_GROWTH_BYTES
          ? `${event.heapBytes - first.heapBytes} bytes of heap`
          : '',
      ].filter((text) => text !== '')
      if (grown.length > 0) judge.violate(event.at, `agent ${event.agent} holds ${grown.join(', ')} more`)
    }
  }
}

/** The rules of what is left behind. */
export const recordRules: Rules = { I16: noPlaintext, I23: recorded, I24: bounded }
