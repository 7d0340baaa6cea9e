// What the marker on the account says about a request: done, fenced, overtaken, or free to write.
import { CLOCK_UNCERTAINTY_MS } from '../../protocol/identifiers.ts'
import { type Marker, parseMarker } from '../../protocol/marker.ts'
import type { Account, PasswordVersion } from './account.ts'
import { isFarAhead } from './judge-document.ts'

/** The request as the marker knows it. */
export interface MarkedRequest {
  readonly store: string
  readonly id: string
  readonly sequence: number
  readonly lease: number
  readonly issuedAt: number
}

/**
 * `applied`: our effect is there. `fenced`: a fence of this request stands, made under `lease` with number `n`.
 * `lease_lost`: a higher lease of this request was here. `superseded`: a newer request was here.
 * `implausible`: not a value this system writes. `free`: nothing stands in the way.
 */
export type MarkerPosition =
  | { readonly kind: 'applied'; readonly marker: Marker }
  | { readonly kind: 'fenced'; readonly marker: Marker }
  | { readonly kind: 'superseded'; readonly marker: Marker }
  | { readonly kind: 'lease_lost' | 'implausible' }
  | { readonly kind: 'free' }

/** Reads the marker of an account for one request (contract, Marker). */
export function readPosition(account: Account, request: MarkedRequest, storeNowMs: number): MarkerPosition {
  if (account.marker === undefined) return { kind: 'free' }
  const marker = parseMarker(account.marker)
  if (!marker) return { kind: 'implausible' }
  if (marker.store !== request.store) return { kind: 'free' }
  if (marker.requestId !== request.id) {
    if (isFarAhead(marker.sequence, storeNowMs)) return { kind: 'implausible' }
    return marker.sequence >= request.sequence ? { kind: 'superseded', marker } : { kind: 'free' }
  }
  if (marker.flag === 'applied') return { kind: 'applied', marker }
  return marker.lease > request.lease ? { kind: 'lease_lost' } : { kind: 'fenced', marker }
}

/**
 * True when somebody else changed the password after the request was issued, so that writing would undo a newer one.
 * `directoryAheadMs` is the least that directory time minus store time can be. A change is ours only if a marker of our store carries its
 * version and was written on the same server. Where the metadata cannot be read, pwdLastSet tells, which is a time.
 */
export function isOvertaken(account: Account, request: MarkedRequest, directoryAheadMs: number): boolean {
  const change = account.passwordVersion ?? versionByTime(account)
  if (!change) return false
  const marked = markedVersion(account, request.store)
  if (isOurs(account, change, marked)) return false
  return changedSinceMs(change, marked) > request.issuedAt + directoryAheadMs + CLOCK_UNCERTAINTY_MS
}

/** The version where only pwdLastSet can be read. Under must-change it tells nothing. */
const versionByTime = ({ passwordSetAtMs: changedAtMs }: Account): PasswordVersion | undefined =>
  changedAtMs === undefined
    ? undefined
    : { version: Math.floor(changedAtMs / 1_000), counts: 'seconds', changedAtMs }

/** The password version in the marker of a store; 0 without one. */
function markedVersion(account: Account, store: string): number {
  const marker = account.marker === undefined ? undefined : parseMarker(account.marker)
  return marker?.store === store ? marker.passwordVersion : 0
}

// Whoever wrote on another server before our write had arrived there counted to the same version.
const isOurs = ({ markerOrigin }: Account, change: PasswordVersion, marked: number): boolean =>
  marked !== 0 &&
  isSame(marked, change) &&
  (change.origin === undefined || markerOrigin === undefined || change.origin === markerOrigin)

// A time is written down before the write, and the directory keeps its own: they agree but for the clocks' uncertainty.
const isSame = (marked: number, { version, counts }: PasswordVersion): boolean =>
  counts === 'seconds' ? Math.abs(marked - version) * 1_000 <= CLOCK_UNCERTAINTY_MS : marked === version

/**
 * When a change that is not ours was made, at the earliest that is known. The time of our own change in the marker came
 * before it, though a clock that was set back dates it earlier.
 */
const changedSinceMs = ({ counts, changedAtMs }: PasswordVersion, marked: number): number =>
  counts === 'seconds' ? Math.max(changedAtMs, marked * 1_000) : changedAtMs

/** One modify that was tried, as the journal tells it. */
export interface TriedModify {
  readonly server: string
  readonly markerBefore: string | undefined
  readonly answer: string | undefined
}

/**
 * True when the marker reads absent though this server has refused to add one beside it: it is there, and the service
 * account cannot read it (contract, Marker).
 */
export const isMarkerHidden = (account: Account, server: string, tried: readonly TriedModify[]): boolean =>
  account.marker === undefined &&
  tried.some(
    (modify) =>
      modify.markerBefore === undefined &&
      modify.server === server &&
      modify.answer?.startsWith('refused:compare_failed') === true,
  )

/**
 * The password version a marker carries after a write of the password: one more than now, or the directory's time in
 * seconds where that is what counts, or where no count can be read. `directoryNowMs`: milliseconds since 1970.
 */
export function versionAfterWrite({ passwordVersion }: Account, directoryNowMs: number): number {
  return passwordVersion === undefined || passwordVersion.counts === 'seconds'
    ? Math.floor(directoryNowMs / 1_000)
    : passwordVersion.version + 1
}

/**
 * The password version that an unlock or a fence carries on: that of our own store's marker, else 0. A count is carried on
 * only while the password is ours: on this server the marker would make another one of that count ours.
 */
export function versionAfterFence(account: Account, store: string): number {
  const change = account.passwordVersion
  const marked = markedVersion(account, store)
  const isCounted = change !== undefined && change.counts !== 'seconds'
  return isCounted && !isOurs(account, change, marked) ? 0 : marked
}
