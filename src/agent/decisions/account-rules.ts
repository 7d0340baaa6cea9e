// Which accounts may be written: the agent's own configuration, as the directory spells and numbers it.

/** Scope and protection. Only the configuration on premises makes them; no request can widen them. */
export interface AccountRules {
  /** An account must lie below one of these DNs, in the directory's own spelling. */
  readonly units: readonly string[]
  /** And be in one of these groups, as the account names its own; none: no group is asked for. */
  readonly groups: readonly string[]
  /** Members of these configured groups are protected, beside the well-known ones. */
  readonly protectedGroups: readonly string[]
  /** These entries are protected themselves, by DN in any spelling. */
  readonly protectedAccounts?: readonly string[]
  /** The same by objectGUID or entryUUID, as far as the directory has them where accounts are written. */
  readonly protectedEntries?: readonly string[]
  /** An account has one of these object classes, in lower case. Default: user. */
  readonly accountClasses?: readonly string[]
  /** objectGUID or entryUUID of the service account itself. */
  readonly serviceAccount: string
}
