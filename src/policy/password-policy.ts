// What a directory asks of the passwords of one account.

/** A password policy. Times in milliseconds. */
export interface PasswordPolicy {
  /** UTF-16 code units, as Active Directory counts. */
  readonly minimumLength: number
  /** Three of five classes of characters. */
  readonly complexity: boolean
  /** Account and display name are refused inside a password. Windows does so with complexity, Samba does not. */
  readonly refusesNames: boolean
  /** 0: none. */
  readonly historyLength: number
  /** 0: none. Counts for a change, not for a reset. */
  readonly minimumAgeMs: number
  /** null: passwords never expire. */
  readonly maximumAgeMs: number | null
  /** 0: accounts never lock. */
  readonly lockoutThreshold: number
  /** null: until somebody unlocks. */
  readonly lockoutDurationMs: number | null
  readonly lockoutWindowMs: number
}
