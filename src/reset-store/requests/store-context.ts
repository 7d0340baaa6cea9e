// What every rule of the store works with.
import type { Clock } from '../../clock/clock.ts'
import type { SigningKey } from '../../protocol/signed-message.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Repository } from '../database/repository.ts'
import type { Changes } from './changes.ts'

/** The parts and settings that rules share. */
export interface StoreContext {
  readonly repository: Repository
  readonly changes: Changes
  readonly clock: Clock
  readonly log: Logger
  /** Store id, eight hex digits. */
  readonly store: string
  readonly tenant: string
  readonly signer: SigningKey
  readonly requestLifetimeMs: number
}

/** An agent that made no call for this long is silent: nothing is sealed to it while others answer. */
export const SILENT_AFTER_MS = 120_000

/** The next number of a series that never goes back, also when the store was restored from a backup. */
export const nextNumber = (previous: number, nowMs: number): number => Math.max(previous + 1, nowMs)
