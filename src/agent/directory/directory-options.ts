// What the assembly says of a directory: what is common to all, and what each kind has of its own.
import type { LookupFunction } from 'node:net'
import type { BackoffLimits } from '../../clock/backoff.ts'
import type { Clock } from '../../clock/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { AnchorAttribute } from './active-directory/find-subject.ts'
import type { RefusalMemory } from './bind-gate.ts'
import type { TrustOptions } from './tls-trust.ts'

interface SharedOptions {
  readonly name: string
  readonly baseDn: string
  /** Which accounts may be written: units by DN, groups by DN (or SID). Default: all below `baseDn`. */
  readonly scope?: {
    readonly units?: readonly string[] | undefined
    readonly groups?: readonly string[] | undefined
  }
  readonly bindName: string
  /** Gives a fresh Buffer each time, which is wiped after use. */
  readonly readBindPassword: () => Promise<Buffer>
  readonly tls: TrustOptions
  /** Whether a reset needs a server that holds it to the password history. */
  readonly history?: 'required' | 'preferred'
  /** Write connections, and as many read connections, at most. */
  readonly connections: number
  readonly connectTimeoutMs: number
  readonly operationTimeoutMs: number
  /** How long no bind is tried after a refused one. Default: from 1 to 30 minutes. */
  readonly bindBackoff?: BackoffLimits
  /** Where refused binds are kept over restarts. Default: nowhere. */
  readonly refusalMemory?: RefusalMemory
  readonly log: Logger
  readonly clock: Clock
}

/** How one Active Directory is reached. Default of `history`: required, but not of Samba, which never has it. */
export interface ActiveDirectoryOptions extends SharedOptions {
  readonly kind?: 'active-directory'
  /** ldaps URLs, asked in this order; or what gives those that are known now, each time the writer is looked for. */
  readonly controllers: readonly string[] | (() => readonly string[])
  /** Resolves the host names of the controllers. Default: as this host does. */
  readonly lookup?: LookupFunction
  /** `pdc-emulator`, or the URL of the one controller that takes the writes. */
  readonly writer: string
  /** Whose members are protected beside the well-known ones: groups by DN or SID. */
  readonly protection?: { readonly groups?: readonly string[] | undefined }
  /** The attribute that the anchors of requests are in. Default objectGUID. */
  readonly anchor?: AnchorAttribute
  /** Default adminDisplayName. */
  readonly markerAttribute?: string
}

/** How one OpenLDAP is reached. `history`: required unless it says otherwise. */
export interface OpenLdapOptions extends SharedOptions {
  readonly kind: 'openldap'
  /** ldaps URLs. */
  readonly controllers: readonly string[]
  /** The one server that takes the writes. Default: the first of `controllers`. */
  readonly writer?: string | undefined
  /** What is never written: members of these groups, and these entries themselves; DNs. */
  readonly protection?: {
    readonly groups?: readonly string[] | undefined
    readonly accounts?: readonly string[] | undefined
  }
  /** The default policy of the ppolicy overlay, which only its configuration tells; DN. */
  readonly policyDn?: string | undefined
  /** Default writebackMarker. */
  readonly markerAttribute?: string
  /** The auxiliary class that allows the marker. Default writebackAccount. */
  readonly markerClass?: string
}

/** How one directory is reached. */
export type DirectoryOptions = ActiveDirectoryOptions | OpenLdapOptions
