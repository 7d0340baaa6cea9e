// What of an entry a write depends on, as the read spelled it: kept beside the account, which speaks no LDAP.
import { momentOfGeneralizedTime } from '../generalized-time.ts'

/** pwdAccountLockedTime of an account that an administrator locked for good (slapo-ppolicy). */
export const PERMANENTLY_LOCKED = '000001010000Z'

/** True for a lock for good, however its time is written: servers take, and tools write, other forms of the same. */
export const isPermanent = (lockedTime: string | undefined): boolean =>
  lockedTime !== undefined &&
  momentOfGeneralizedTime(lockedTime) === momentOfGeneralizedTime(PERMANENTLY_LOCKED)

/** The entry as it was read. */
export interface SeenEntry {
  readonly dn: string
  readonly entryUuid: string
  /** The auxiliary class that allows the marker is there. */
  readonly hasMarkerClass: boolean
  /** pwdAccountLockedTime, also of a lockout that is over. */
  readonly lockedTime: string | undefined
  /** pwdChangedTime. */
  readonly changedTime: string | undefined
}
