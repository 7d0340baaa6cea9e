// What carrying out a request needs, handed in by the assembly.
import type { Backoff } from '../../clock/backoff.ts'
import type { Clock } from '../../clock/clock.ts'
import type { Blocklist } from '../../policy/blocklist.ts'
import type { RequestDocument, WriteDocument } from '../../protocol/request-document.ts'
import type { SigningKey } from '../../protocol/signed-message.ts'
import type { Conditions } from '../../telemetry/conditions.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Doubt, GoneServers } from '../decisions/judge-doubt.ts'
import type { Leases } from '../decisions/leases.ts'
import type { StoreTime } from '../decisions/store-time.ts'
import type { Directory } from '../directory/directory.ts'
import type { AnsweredIntent, Journal, OpenRequest } from '../journal/journal.ts'
import type { Keys } from '../keys/open-keys.ts'
import type { Drops } from './drops.ts'
import type { Lanes } from './lanes.ts'
import type { Limits } from './limit-writes.ts'
import type { Suspects } from './suspects.ts'

/** One directory with what the configuration says of it. */
export interface ServedDirectory {
  readonly directory: Directory
  /** Passwords that are refused whatever the directory says. */
  readonly blocklist: Blocklist | undefined
  /** Refuse names inside passwords, even where the directory does not. */
  readonly refusesNames: boolean
  /** Between tries while the directory is away. */
  readonly backoff: Backoff
  /** What happens to an account whose marker may not be written: nothing (the default), or a write without it. */
  readonly withoutMarker?: 'refuse' | 'version'
  /** Where writes without a marker keep out of each other's way. */
  readonly lanes?: Lanes
}

/** The neighbours and tools of this room. */
export interface WritebackParts {
  readonly agent: string
  readonly store: string
  readonly signer: SigningKey
  readonly journal: Journal
  readonly audit: AuditTrail
  readonly keys: Keys
  readonly directories: ReadonlyMap<string, ServedDirectory>
  readonly storeTime: StoreTime
  readonly leases: Leases
  readonly limits: Limits
  readonly suspects: Suspects
  readonly drops: Drops
  readonly conditions: Conditions
  readonly clock: Clock
  readonly log: Logger
  readonly isPaused: () => boolean
  /** Domain controllers that an operator declared gone for good at the store. */
  readonly goneServers: () => GoneServers
  /** Reads a journaled document; the signature was verified when it was accepted. */
  readonly readDocument: (open: OpenRequest) => Promise<RequestDocument>
  /** Confirms at the store that this request will be carried out on this server. False: the lease is lost. */
  readonly confirmReceipt: (open: OpenRequest, server: string) => Promise<boolean>
  /** An outcome was recorded: report it soon. */
  readonly wakeReporter: () => void
}

/** One request being carried out. */
export interface Work<D extends RequestDocument = WriteDocument> {
  readonly open: OpenRequest
  readonly document: D
  readonly served: ServedDirectory
  readonly doubt: Doubt
  /** Every write and fence that was tried so far; newest last. */
  readonly tried: readonly AnsweredIntent[]
  readonly log: Logger
}
