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
 * version. Where the metadata cannot be read, pwdLastSet tells; then a marker of our store, whose version is 0, cannot tell our
 * own change from another, and the order of markers alone decides.
 */
export function isOvertaken(account: Account, request: MarkedRequest, directoryAheadMs: number): boolean {
  const setAtMs = account.passwordSetAtMs
  const change =
    account.passwordVersion ?? (setAtMs === undefined ? undefined : { version: 0, changedAtMs: setAtMs })
  if (!change) return false
  const marker = account.marker === undefined ? undefined : parseMarker(account.marker)
  const isOurs =
    marker !== undefined && marker.store === request.store && isSame(marker.passwordVersion, change)
  return !isOurs && change.changedAtMs > request.issuedAt + directoryAheadMs + CLOCK_UNCERTAINTY_MS
}

// A time is written down before the write, and the directory keeps its own: they agree but for the clocks' uncertainty.
const isSame = (marked: number, { version, counts }: PasswordVersion): boolean =>
  counts === 'seconds' ? Math.abs(marked - version) * 1_000 <= CLOCK_UNCERTAINTY_MS : marked === version

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
 * seconds where that is what counts; 0 when it cannot be read. `directoryNowMs`: milliseconds since 1970.
 */
export function versionAfterWrite({ passwordVersion }: Account, directoryNowMs: number): number {
  if (passwordVersion === undefined) return 0
  return passwordVersion.counts === 'seconds'
    ? Math.floor(directoryNowMs / 1_000)
    : passwordVersion.version + 1
}

/** The password version a fence carries on: that of our own store's marker, else 0. */
export function versionAfterFence(account: Account, store: string): number {
  const marker = account.marker === undefined ? undefined : parseMarker(account.marker)
  return marker?.store === store ? marker.passwordVersion : 0
}
