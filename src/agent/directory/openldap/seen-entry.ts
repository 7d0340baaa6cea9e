// What of an entry a write depends on, as the read spelled it: kept beside the account, which speaks no LDAP.

/** pwdAccountLockedTime of an account that an administrator locked for good (slapo-ppolicy). */
export const PERMANENTLY_LOCKED = '000001010000Z'

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
