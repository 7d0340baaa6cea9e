// What every model of a directory has in common: servers with entries, each attribute with its version, and the doors where
// everything that passes is written down. The truth of a run is here.
import type { Change, RequestControl } from '../../src/ldap-wire/encode-request.ts'
import type { Owner } from './scheduler.ts'

/** A password of the run: its text, and the passwords before it. */
export interface SetPassword {
  readonly text: string
  readonly earlier: readonly string[]
}

/** The attributes of an account that the model knows. Times are directory clock, milliseconds. */
export interface Attributes {
  readonly marker: string | undefined
  readonly password: SetPassword
  /** 0: not locked. */
  readonly lockedAt: number
  /** 0: must be changed. */
  readonly passwordSetAt: number
  readonly dn: string
  readonly name: string
  readonly adminCount: boolean
  readonly disabled: boolean
  readonly deleted: boolean
}

/** One attribute as one server has it. */
export interface Cell<T> {
  readonly value: T
  readonly version: number
  /** Directory clock of the server that wrote it, whole seconds in milliseconds. */
  readonly at: number
  readonly origin: string
}

/** One entry on one server. */
export interface Entry {
  readonly guid: string
  cells: { [K in keyof Attributes]: Cell<Attributes[K]> }
  /** What a server counts for itself. */
  badPasswordCount: number
  badPasswordAt: number
}

/** One server. */
export interface Server {
  readonly id: string
  readonly url: string
  /** Stopped: it hangs. Not alive is never used: a server that is down refuses. */
  readonly owner: Owner
  readonly entries: Map<string, Entry>
  /** Directory clock minus true time. */
  aheadMs: number
  isUp: boolean
  /** Who is the writer, by this server's own copy. */
  writer: string
  /** Refuses every modify with this code, for a while. */
  refusal: { readonly code: number; readonly diagnostic: string } | undefined
}

/** The policy of the domain or of some accounts. Times in milliseconds. */
export interface ModelPolicy {
  readonly minimumLength: number
  readonly historyLength: number
  readonly minimumAgeMs: number
  readonly lockoutThreshold: number
  readonly lockoutDurationMs: number
  readonly lockoutWindowMs: number
}

/** One account of the run, as it was made. */
export interface ModelAccount {
  readonly guid: string
  readonly policyDn: string | undefined
  readonly mayBeWritten: boolean
}

/** A modify as it arrives at a server. */
export interface Modify {
  readonly guid: string
  readonly changes: readonly Change[]
  readonly controls: readonly RequestControl[]
}

/** LDAP result. */
export interface Result {
  readonly code: number
  readonly diagnostic: string
  /** OpenLDAP: what the password policy control beside it says. */
  readonly policyError?: number
}

/** What happens to accounts without any agent. */
export type ForeignDeed =
  | { readonly what: 'password'; readonly text: string }
  | { readonly what: 'marker'; readonly text: string }
  | { readonly what: 'locked' | 'bad_password' | 'excluded' | 'deleted' }
  | { readonly what: 'renamed' | 'recreated' | 'moved'; readonly name: string }

/** A directory of either kind. */
export interface DirectoryModel {
  readonly dialect: 'active-directory' | 'openldap'
  readonly servers: readonly Server[]
  readonly accounts: readonly ModelAccount[]
  readonly modify: (server: Server, modify: Modify) => Result
  readonly policyOf: (guid: string) => ModelPolicy
  readonly nowMs: (server: Server) => number
  readonly isLocked: (server: Server, entry: Entry) => boolean
  readonly doForeign: (server: Server, guid: string, deed: ForeignDeed) => boolean
  /** True while something is on its way between servers. */
  readonly isReplicating: () => boolean
}

/** Below here accounts may be written. */
export const PEOPLE = 'OU=People,DC=corp,DC=test'
export const ELSEWHERE = 'OU=Elsewhere,DC=corp,DC=test'
export const DOMAIN_DN = 'DC=corp,DC=test'
export const FINE_GRAINED_DN = `CN=strict,CN=Password Settings Container,CN=System,${DOMAIN_DN}`
export const MARKER_ATTRIBUTE = 'adminDisplayName'
