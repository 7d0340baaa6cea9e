// Somebody else's password that the contract itself takes for ours: where only the second of a change is told, one that is within two
// seconds of the version in our marker. It cannot be told from ours, so nobody is blamed for going over it.
import { CLOCK_UNCERTAINTY_MS } from '../../src/protocol/identifiers.ts'
import { parseMarker } from '../../src/protocol/marker.ts'
import type { AccountTrack, DirectorySaid, History, ProxySaw } from './index-history.ts'
import type { Modify } from './modify.ts'

// No password is written so often: a version like that is a time in seconds, because the metadata could not be read.
const FIRST_TIME = 1_000_000_000

/** True for a change that nobody can tell from ours, by the read of the account before the write. */
export const isTakenForOurs = (
  history: History,
  account: AccountTrack,
  change: DirectorySaid<'foreign'>,
  read: ProxySaw<'read'>,
): boolean =>
  history.run.dialect === 'openldap'
    ? isOnOpenLdap(history, account, change.at, read)
    : isBesideTime(history, change, read)

/** OpenLDAP never tells more than the second. */
function isOnOpenLdap(
  history: History,
  { modifies, foreign }: AccountTrack,
  changedAt: number,
  read: ProxySaw<'read'>,
): boolean {
  const standing = modifies.findLast(
    ({ effect, marker, seen }) => effect === 'landed' && marker !== undefined && seen.at <= read.at,
  )
  if (!standing?.marker || foreign.some(({ what, at }) => what === 'marker' && at > standing.seen.at))
    return false
  // Who comes after the one that went over it sees nothing of it any more.
  return (
    isClose(history, standing.marker.passwordVersion, changedAt, read.server) ||
    isGoneOver(modifies, changedAt, read.at)
  )
}

/** Active Directory does where the service account may read the metadata; else our marker carries a time. */
function isBesideTime(
  history: History,
  { at, server }: DirectorySaid<'foreign'>,
  read: ProxySaw<'read'>,
): boolean {
  const version = parseMarker(read.marker ?? '')?.passwordVersion ?? 0
  return version >= FIRST_TIME && isClose(history, version, at, server ?? read.server)
}

/** `server`: whose clock dated the change. */
function isClose({ supervisor }: History, version: number, changedAt: number, server: string): boolean {
  const clock = supervisor.findLast(
    (event) => event.kind === 'clock' && event.of === server && event.at <= changedAt,
  )
  const directoryMs = changedAt + (clock?.kind === 'clock' ? clock.aheadMs : 0)
  return Math.abs(version - Math.floor(directoryMs / 1_000)) * 1_000 <= CLOCK_UNCERTAINTY_MS
}

const isGoneOver = (modifies: readonly Modify[], changedAt: number, readAt: number): boolean =>
  modifies.some(
    ({ effect, password, seen }) =>
      effect === 'landed' && password !== undefined && seen.at > changedAt && seen.at <= readAt,
  )
