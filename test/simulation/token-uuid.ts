// What stands for the package `uuid` in a simulated process: ids of the run's own chance and clock.
import { uuid } from './own-the-process.ts'

/** A UUIDv7. */
export const v7 = (): string => uuid('7')
