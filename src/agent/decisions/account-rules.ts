// Which accounts may be written: the agent's own configuration, as the directory spells and numbers it.

/** Scope and protection. Only the configuration on premises makes them; no request can widen them. */
export interface AccountRules {
  /** An account must lie below one of these DNs, in the directory's own spelling. */
  readonly units: readonly string[]
  /** And be in one of these groups, by SID; none: no group is asked for. */
  readonly groups: readonly string[]
  /** Members of these configured groups are protected, beside the well-known ones; SIDs. */
  readonly protectedGroups: readonly string[]
  /** objectGUID of the service account itself. */
  readonly serviceAccount: string
}
