// What comes before what: I6 order of one account, I7 no regress, I8 expiry, I10 the fence, I25 one server per doubt.
import { CLOCK_UNCERTAINTY_MS } from '../../src/protocol/identifiers.ts'
import { type Marker, parseMarker } from '../../src/protocol/marker.ts'
import type { AccountTrack, DirectorySaid, History, ProxySaw, RequestTrack } from './index-history.ts'
import type { Judge, Rules } from './judge.ts'
import { isPromiseLost } from './lost-promise.ts'
import { DIRECTORY_TICK_MS, isMisdated } from './misdated.ts'
import { attemptOf, isEffect, type Modify, nameOf } from './modify.ts'
import { afterItsPromise } from './promise-rules.ts'
import { isTakenForOurs } from './taken-for-ours.ts'

/**
 * The effects of one account land in the order of their sequence. Excused: one that was late, and whose promise the store had lost
 * before it handed out the newer one for another server.
 */
function inOrder(history: History, judge: Judge): void {
  for (const { modifies } of history.accounts.values()) {
    const landed: { readonly modify: Modify; readonly sequence: number }[] = []
    for (const modify of modifies) {
      const sequence = sequenceOf(history, modify)
      if (modify.effect !== 'landed' || sequence === undefined) continue
      if (isEffect(modify)) judgeOrder(history, judge, modify, { sequence, landed })
      landed.push({ modify, sequence })
    }
  }
}

interface Landed {
  readonly sequence: number
  /** What landed before it. */
  readonly landed: readonly { readonly modify: Modify; readonly sequence: number }[]
}

function judgeOrder(history: History, judge: Judge, modify: Modify, { sequence, landed }: Landed): void {
  const before = landed.filter((one) => one.modify.seen.server === modify.seen.server || isEffect(one.modify))
  if (before.length > 0) judge.decide()
  const newer = before.filter((one) => one.sequence > sequence)
  if (newer.some((one) => !isPromiseLost(history, attemptOf(modify), attemptOf(one.modify))))
    judge.violate(modify.seen.at, `after a newer one: ${nameOf(modify)}`)
  else if (newer.length > 0) judge.excuse()
}

/** What the store says counts; the marker serves where the store says nothing. */
const sequenceOf = (history: History, { request, marker }: Modify): number | undefined =>
  history.requests.get(request ?? '')?.asked?.sequence ?? marker?.sequence

/**
 * No password goes over somebody else's newer one that the agent could see when it last read the account, and that look is
 * fresh: only while its process stood still, or its host slept, may more time have passed. Excused: one that the directory
 * dated by a clock that was set since the agent had asked for it, or by another domain controller's.
 */
function noRegress(history: History, judge: Judge): void {
  judgeFreshness(history, judge)
  for (const account of history.accounts.values()) {
    const changes = account.foreign.filter(({ what }) => what === 'password')
    if (changes.length === 0) continue
    for (const modify of account.modifies) {
      const asked = history.requests.get(modify.request ?? '')?.asked
      const read = lastRead(account, modify)
      if (modify.password === undefined || modify.effect !== 'landed' || !asked || !read) continue
      const { server, at } = modify.seen
      if (changes[0] && changes[0].at < at) judge.decide()
      const newer = changes.filter(
        (change) =>
          change.at <= read.at &&
          wasSeen(change, read, server) &&
          change.at > asked.issuedAt + CLOCK_UNCERTAINTY_MS + DIRECTORY_TICK_MS &&
          !isTakenForOurs(history, account, change, read),
      )
      const { issuedAt } = asked
      const told = newer.find(
        ({ at: changedAt, server: changedOn }) =>
          !isMisdated(history, {
            server,
            changedOn: changedOn ?? server,
            changedAt,
            issuedAt,
            readAt: read.at,
          }),
      )
      if (told) judge.violate(at, `over a password that was set at ${told.at} and seen: ${nameOf(modify)}`)
      else if (newer.length > 0) judge.excuse()
    }
  }
}

// One read of the policy lies between, with the time-out of an operation (15 s) and a loaded machine's delay.
const LONGEST_LOOK_MS = 20_000

/** How long the agent itself ran between its last look at the account and its write. */
function judgeFreshness(history: History, judge: Judge): void {
  const stops = findStops(history)
  for (const account of history.accounts.values())
    for (const modify of account.modifies) {
      const { agent, sentAt } = modify.seen
      const read = isEffect(modify) && agent !== null ? lastRead(account, modify) : undefined
      if (!read) continue
      const stood = (stops.get(agent ?? '') ?? []).reduce(
        (sum, { from, to }) => sum + Math.max(0, Math.min(to, sentAt) - Math.max(from, read.at)),
        0,
      )
      const tookMs = sentAt - read.at - stood
      judge.measure('read to write, ms', tookMs)
      if (tookMs > LONGEST_LOOK_MS)
        judge.violate(sentAt, `sent ${tookMs} ms after the account was looked at: ${nameOf(modify)}`)
    }
}

function findStops({ supervisor, endsAt }: History): ReadonlyMap<string, { from: number; to: number }[]> {
  const stops = new Map<string, { from: number; to: number }[]>()
  for (const event of supervisor) {
    if (event.kind !== 'process') continue
    const own = stops.get(event.agent) ?? []
    const last = own.at(-1)
    if (event.what === 'stopped') own.push({ from: event.at, to: endsAt })
    else if (last?.to === endsAt) last.to = event.at
    stops.set(event.agent, own)
  }
  return stops
}

/**
 * True when the read could find somebody else's password. Where the harness looked, it is the one that stood there: it may
 * have come from another server, and one that is gone was seen by nobody.
 */
const wasSeen = (change: DirectorySaid<'foreign'>, read: ProxySaw<'read'>, server: string): boolean =>
  read.password === undefined || change.secret === undefined
    ? change.server === null || change.server === server
    : read.password === change.secret && read.server === server

/** The last read of the account by the agent before it sent the modify. */
export function lastRead({ reads }: AccountTrack, { seen }: Modify): ProxySaw<'read'> | undefined {
  const own = reads.get(seen.agent) ?? []
  let low = 0
  let high = own.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((own[middle]?.at ?? 0) <= seen.sentAt) low = middle + 1
    else high = middle
  }
  return own[low - 1]
}

/** Nothing that carries a password or an unlock leaves an agent after expiry. The agent keeps the clocks' margin itself. */
function notExpired(history: History, judge: Judge): void {
  for (const modify of history.modifies) {
    const asked = history.requests.get(modify.request ?? '')?.asked
    if (!asked || !isEffect(modify)) continue
    judge.decide()
    const late = modify.seen.sentAt - asked.expiresAt
    if (late > 0)
      judge.violate(modify.seen.sentAt, `sent ${Math.round(late)} ms after expiry: ${nameOf(modify)}`)
  }
}

/**
 * Nothing is written before the store promised it, no two modifies succeed from one marker value on one server, and nothing
 * lands that a fence excludes.
 */
function fenced(history: History, judge: Judge): void {
  afterItsPromise(history, judge)
  for (const account of history.accounts.values()) {
    const isTouched = account.foreign.some(({ what }) => what === 'marker' || what === 'recreated')
    const used = new Set<string>()
    const fences = new Map<string, Marker>()
    for (const modify of account.modifies) {
      const { markerAfter, marker, seen, request } = modify
      if (modify.effect !== 'landed' || markerAfter === undefined || marker === undefined) continue
      judge.decide()
      const from = isCompared(modify) ? `${seen.server} ${modify.markerBefore ?? 'absent'}` : undefined
      if (from !== undefined && used.has(from) && !isTouched)
        judge.violate(
          seen.at,
          `a second one from the marker ${modify.markerBefore ?? 'absent'}: ${nameOf(modify)}`,
        )
      if (from !== undefined) used.add(from)
      const key = `${seen.server} ${request}`
      const fence = fences.get(key)
      if (fence && isEffect(modify) && isExcluded(marker, fence))
        judge.violate(seen.at, `landed after the fence that excludes it: ${nameOf(modify)}`)
      if (modify.kind === 'fence') fences.set(key, marker)
    }
  }
}

/** A marker that is replaced is compared with nothing. */
const isCompared = ({ seen, markerAfter }: Modify): boolean =>
  seen.changes.some(
    ({ operation, values }) => operation === 'add' && values[0]?.toLowerCase() === markerAfter,
  )

const isExcluded = (marker: Marker, fence: Marker): boolean =>
  marker.lease < fence.lease || (marker.lease === fence.lease && marker.n < fence.n)

/**
 * What may have happened on one server is settled there, and visible here, before anything is written here. Excused: what only
 * a receipt told of that the store lost when it was restored.
 */
function oneServer(history: History, judge: Judge): void {
  for (const account of history.accounts.values()) {
    const servers = new Set(account.modifies.map(({ seen }) => seen.server))
    if (servers.size < 2 || account.foreign.some(({ what }) => what === 'marker')) continue
    for (const modify of account.modifies.filter(isEffect)) {
      judge.decide()
      const known = account.modifies.filter(
        (one) => !isPromiseLost(history, attemptOf(one), attemptOf(modify)),
      )
      if (known.length < account.modifies.length) judge.excuse()
      const elsewhere = newestElsewhere(known, modify)
      if (elsewhere && !isVisible(elsewhere, modify))
        judge.violate(
          modify.seen.sentAt,
          `sent before what landed at ${elsewhere.seen.server} was visible: ${nameOf(modify)}`,
        )
    }
  }
  for (const track of history.requests.values()) judgeIntents(history, judge, track)
}

/** The newest that was sent to any other server before, of this request or an older one, and landed there at any time. */
function newestElsewhere(modifies: readonly Modify[], { seen, marker }: Modify): Modify | undefined {
  return modifies
    .filter(
      (one) =>
        one.seen.server !== seen.server &&
        one.effect === 'landed' &&
        one.marker !== undefined &&
        one.marker.sequence <= (marker?.sequence ?? 0) &&
        one.seen.sentAt < seen.sentAt,
    )
    .reduce<Modify | undefined>((newest, one) => (newest && isAtLeast(newest, one) ? newest : one), undefined)
}

const isAtLeast = ({ marker: a }: Modify, { marker: b }: Modify): boolean =>
  a !== undefined && b !== undefined && compareMarkers(a, b) >= 0

const compareMarkers = (a: Marker, b: Marker): number =>
  a.sequence - b.sequence || a.lease - b.lease || a.n - b.n

function isVisible({ marker, markerAfter, request, kind }: Modify, modify: Modify): boolean {
  if (!marker) return true
  // Once it was applied anywhere, nothing of the same request is written anywhere.
  if (request === modify.request && kind !== 'fence') return false
  const before = modify.markerBefore === undefined ? undefined : parseMarker(modify.markerBefore)
  return modify.markerBefore === markerAfter || (before !== undefined && compareMarkers(before, marker) > 0)
}

/** By the agents' own journals: a write without an answer on one server is fenced there before one on another begins. */
function judgeIntents(history: History, judge: Judge, { intents, id }: RequestTrack): void {
  const servers = new Set(intents.map(({ server }) => server))
  if (servers.size < 2) return
  const isOpen = (answer: string | null) => answer === null || answer === 'lost'
  const attempt = ({ server, markerAfter }: (typeof intents)[number]) => ({
    ...{ request: id, lease: parseMarker(markerAfter)?.lease, server },
  })
  for (const [index, intent] of intents.entries()) {
    if (intent.effect === 'fence') continue
    judge.decide()
    const before = intents
      .slice(0, index)
      .filter((one) => !isPromiseLost(history, attempt(one), attempt(intent)))
    const doubt = before.find(
      ({ server, effect, answer, at }, place) =>
        server !== intent.server &&
        effect !== 'fence' &&
        isOpen(answer) &&
        !before
          .slice(place)
          .some(
            (one) =>
              one.server === server && one.effect === 'fence' && one.answer === 'accepted' && one.at >= at,
          ),
    )
    if (doubt)
      judge.violate(
        intent.at,
        `request ${id} was tried on server ${intent.server} while a write on ${doubt.server} was in doubt`,
      )
  }
}

/** The rules of order. */
export const orderRules: Rules = { I6: inOrder, I7: noRegress, I8: notExpired, I10: fenced, I25: oneServer }
