// What one read on the writer domain controller tells about an account.

/** Version and time of the password in the directory's own replication metadata (AD: unicodePwd). */
export interface PasswordVersion {
  readonly version: number
  /** Directory clock, milliseconds since 1970, whole seconds. */
  readonly changedAtMs: number
}

/** One account as read, all in one search, by its immutable anchor. Times are directory clock, milliseconds. */
export interface Account {
  /** objectGUID, lower case, with dashes. */
  readonly anchor: string
  readonly dn: string
  readonly name: string
  /** Lower case. */
  readonly objectClasses: readonly string[]
  /** S-1-5-21-... or undefined when the entry has none. */
  readonly sid: string | undefined
  readonly adminCount: boolean
  readonly criticalSystemObject: boolean
  readonly disabled: boolean
  /** The computed lockout bit, not lockoutTime: an expired lockout is none. */
  readonly locked: boolean
  readonly smartcardRequired: boolean
  readonly passwordNeverExpires: boolean
  readonly mustChange: boolean
  /** undefined: never. */
  readonly expiresAtMs: number | undefined
  /** undefined when the service account cannot read the metadata. */
  readonly passwordVersion: PasswordVersion | undefined
  /** The raw value of the marker attribute; undefined when the entry has none. */
  readonly marker: string | undefined
}
