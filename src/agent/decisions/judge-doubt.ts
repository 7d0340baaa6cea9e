// Whether something may already have happened for a request, and whether that can be settled on this server.
import type { Operation } from '../../protocol/identifiers.ts'
import { type Marker, parseMarker } from '../../protocol/marker.ts'
import type { Account } from './account.ts'

/** A write of this agent whose answer is not known. */
export interface UnansweredWrite {
  readonly n: number
  readonly server: string
  readonly passwordVersionBefore: number | undefined
  readonly markerBefore?: string | undefined
}

/** What may have been sent for a request before now. */
export interface Doubt {
  readonly unanswered: readonly UnansweredWrite[]
  /** Receipts of earlier leases, by this agent or another one. */
  readonly earlier: readonly { readonly server: string }[]
}

/** True when a write of this request may be under way or done. */
export const isDoubtful = (doubt: Doubt): boolean => doubt.unanswered.length > 0 || doubt.earlier.length > 0

/** Servers that an operator declared gone for good: what was sent there counts as never to land. */
export type GoneServers = ReadonlySet<string>

/** True when every write in doubt went to this server, or to one that is gone, so that a fence here excludes them all. */
export const canSettleOn = (server: string, doubt: Doubt, gone: GoneServers): boolean =>
  [...doubt.unanswered, ...doubt.earlier].every((sent) => sent.server === server || gone.has(sent.server))

/**
 * True when a fence on the account already excludes every write in doubt: it was made under the present lease, after
 * the last of them was tried.
 */
export const isSettledBy = (fence: Marker, lease: number, doubt: Doubt): boolean =>
  fence.lease === lease && doubt.unanswered.every(({ n }) => n < fence.n)

/**
 * True when the marker of somebody else may have taken the place of one that a write in doubt left: then no marker tells any
 * more whether it landed. Where somebody else's stood before our write and still stands, ours never came.
 */
export function mayBeOverwritten(marker: string | undefined, store: string, doubt: Doubt): boolean {
  const parsed = marker === undefined ? undefined : parseMarker(marker)
  if (parsed === undefined || parsed.store === store) return false
  const isAsBefore = ({ markerBefore }: UnansweredWrite) =>
    markerBefore?.toLowerCase() === marker?.toLowerCase()
  return doubt.earlier.length > 0 || !doubt.unanswered.every(isAsBefore)
}

/** How far the subject's previous request got, as the store knows it. */
export interface PreviousRequest {
  readonly server: string
  readonly marker: string | null
  readonly settled: boolean
  /** Further servers at which something of it may be under way. */
  readonly others?: readonly string[]
}

/**
 * True when the previous request of the subject cannot surprise a write on this server: it went to the same server,
 * where the marker orders everything, or to ones that are gone, or it is settled and its marker has arrived here
 * (contract, Calls).
 */
export function isPreviousVisible(
  previous: PreviousRequest | null,
  server: string,
  marker: string | undefined,
  gone: GoneServers,
): boolean {
  if (previous === null) return true
  const isHere = (one: string) => one === server || gone.has(one)
  if (!(previous.others ?? []).every(isHere)) return false
  if (isHere(previous.server)) return true
  if (!previous.settled) return false
  if (previous.marker === null || previous.marker.toLowerCase() === marker?.toLowerCase()) return true
  const expected = parseMarker(previous.marker)
  const here = marker === undefined ? undefined : parseMarker(marker)
  return (
    expected !== undefined &&
    here !== undefined &&
    here.store === expected.store &&
    here.sequence > expected.sequence
  )
}

/**
 * True when the count of password writes proves that no write in doubt landed, though a newer marker hides it: since
 * each of them was tried the password was not written at all. A newer request that wrote it once leaves the same count as
 * one that unlocked the account after our write, so that proves nothing; and what wrote no password was never counted.
 * Where the version is a time in seconds, two writes of one second leave the same, so it proves nothing either.
 */
export const isProvenUnapplied = (account: Account, doubt: Doubt, operation: Operation): boolean =>
  operation !== 'unlock' &&
  account.passwordVersion?.counts !== 'seconds' &&
  doubt.earlier.length === 0 &&
  doubt.unanswered.every(
    ({ passwordVersionBefore }) =>
      passwordVersionBefore !== undefined && passwordVersionBefore === account.passwordVersion?.version,
  )
