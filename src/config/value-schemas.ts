// The values that several parts of the configurations are made of.
import { z } from 'zod'

/** A text that is not empty. */
export const text = z.string().min(1).max(1024)

/** A number of seconds, parts of one allowed. */
export const seconds = (lowest: number, highest: number) => z.number().min(lowest).max(highest)

/** A whole number. */
export const count = (lowest: number, highest: number) => z.int().min(lowest).max(highest)

/** True for what has named parts; a rule looks at values before anything checked their form. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
