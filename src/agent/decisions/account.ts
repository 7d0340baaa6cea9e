// What one read on the writer domain controller tells about an account.

/**
 * Version and time of the password as the directory itself keeps them: on AD unicodePwd in the replication metadata, on
 * OpenLDAP pwdChangedTime.
 */
export interface PasswordVersion {
  readonly version: number
  /**
   * What the version is: how often the password was `written` (left out: this), or when it was changed, in `seconds` since
   * 1970 by the directory's clock.
   */
  readonly counts?: 'writes' | 'seconds'
  /** Directory clock, milliseconds since 1970, whole seconds. */
  readonly changedAtMs: number
  /**
   * The server on which it was written. Two servers may count to the same version before they know of each other. Left out
   * where the directory does not tell.
   */
  readonly origin?: string
}

/** Whether the service account may write the marker of an account, and the grant that would let it. */
export interface MarkerRight {
  readonly held: boolean
  readonly grant: string
}

/** One account as read, all in one search, by its immutable anchor. Times are directory clock, milliseconds. */
export interface Account {
  /** Lower case, with dashes. Writes go by it, whatever the anchor of the request is. */
  readonly objectGuid: string
  readonly dn: string
  /** sAMAccountName; on OpenLDAP uid. */
  readonly name: string
  readonly displayName: string
  /** Lower case. */
  readonly objectClasses: readonly string[]
  /** S-1-5-21-... or undefined when the entry has none. */
  readonly sid: string | undefined
  /**
   * Every group the account is in, direct and nested: on AD the SIDs of security groups, the primary one too (tokenGroups);
   * on OpenLDAP the DNs in lower case, where any rule asks for groups.
   */
  readonly groups: readonly string[]
  /** Attributes that every account has and that the service account cannot read; what they would tell is not known. */
  readonly unreadable: readonly string[]
  /** SIDs of former domains that still count as the account's own. */
  readonly sidHistory: readonly string[]
  readonly adminCount: boolean
  readonly criticalSystemObject: boolean
  /** A person's account: not a trust, not a machine, not the krbtgt account of a read-only domain controller. */
  readonly ordinary: boolean
  readonly disabled: boolean
  /** Locked now: an expired lockout is none. On AD the computed bit, on OpenLDAP pwdAccountLockedTime by the policy. */
  readonly locked: boolean
  readonly smartcardRequired: boolean
  /** UF_PASSWD_NOTREQD: Windows holds its password to no policy (MS-SAMR 3.1.1.7.2). */
  readonly passwordNotRequired: boolean
  readonly passwordNeverExpires: boolean
  readonly mustChange: boolean
  /** True where no change is ever asked for, whatever a write says: its policy has no pwdMustChange (OpenLDAP). */
  readonly mustChangeIsIdle?: boolean
  /**
   * True when the account's own security descriptor denies SELF or everyone the right to change the password, or its
   * policy does (pwdAllowUserChange). undefined when it was not asked for or cannot be read.
   */
  readonly changeDenied: boolean | undefined
  /** undefined: never. */
  readonly expiresAtMs: number | undefined
  /** When the password was set; undefined: never, or it must be changed. */
  readonly passwordSetAtMs: number | undefined
  /** By the policy that applies; undefined: never, or it was not asked for. */
  readonly passwordExpiresAtMs: number | undefined
  readonly badPasswordCount: number
  /** undefined: no bad password since the last good one. */
  readonly badPasswordAtMs: number | undefined
  /** DN of the policy that applies (msDS-ResultantPSO; pwdPolicySubentry or the default); undefined: the domain's does. */
  readonly policyDn: string | undefined
  /** undefined when the service account cannot read the metadata. */
  readonly passwordVersion: PasswordVersion | undefined
  /** True where the directory accepts the new password alone, as OpenLDAP does. Default: the old one may work on for a while. */
  readonly oldPasswordEnds?: boolean
  /** The raw value of the marker attribute; undefined when the entry has none. */
  readonly marker: string | undefined
  /** The server on which the marker was written; undefined where the directory does not tell. */
  readonly markerOrigin?: string | undefined
  /** undefined: not asked for. */
  readonly markerRight?: MarkerRight | undefined
  /** lockoutTime, also of a lockout that is over; undefined: none, or not asked for, as only an unlock does. */
  readonly lockedAtMs?: number | undefined
}
