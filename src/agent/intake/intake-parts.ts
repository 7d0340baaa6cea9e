// What taking requests in needs, handed in by the assembly.
import type { Clock } from '../../clock/clock.ts'
import type { FindKey } from '../../protocol/signed-message.ts'
import type { Conditions } from '../../telemetry/conditions.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Addressee } from '../decisions/judge-document.ts'
import type { Leases } from '../decisions/leases.ts'
import type { StoreTime } from '../decisions/store-time.ts'
import type { Journal } from '../journal/journal.ts'
import type { StoreClient } from '../store-client/create-store-client.ts'
import type { Receipts } from './confirm-receipts.ts'
import type { DocumentCache } from './document-cache.ts'

/** The neighbours and tools of this room. */
export interface IntakeParts {
  readonly journal: Journal
  readonly client: StoreClient
  readonly leases: Leases
  readonly storeTime: StoreTime
  readonly addressee: Addressee
  readonly findKey: FindKey
  readonly documents: DocumentCache
  readonly conditions: Conditions
  readonly clock: Clock
  readonly log: Logger
  readonly receipts: Receipts
  readonly setPaused: (told: { readonly paused: boolean; readonly storeTime: number }) => void
  readonly setGoneServers: (servers: readonly string[]) => void
  /** The server whose receipt can be given now; undefined while the directory is away. */
  readonly serverOf: (directory: string) => string | undefined
  /** Puts requests into the queue of their directory. */
  readonly enqueue: (directory: string, requestIds: readonly string[]) => Promise<void>
  /** Ends a request that is invalid: `failed`, `request_invalid`, unless something may have been written for it. */
  readonly refuseInvalid: (
    request: {
      readonly requestId: string
      readonly lease: number
      readonly earlier: readonly { readonly server: string }[]
    },
    fault: string,
  ) => Promise<void>
  readonly wakeReporter: () => void
  /** Told with each turn of the loop, which proves that it still turns. */
  readonly beat?: () => void
}
