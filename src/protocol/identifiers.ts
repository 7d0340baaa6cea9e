// The small pieces every message is made of. Times are integers: milliseconds since 1970-01-01T00:00:00Z.
import { v7 } from 'uuid'
import { z } from 'zod'

/** How long a lease lives after its hand-out or renewal, in milliseconds. */
export const LEASE_MS = 30_000
/** How long after its expiry a request may still be settled, in milliseconds. */
export const SETTLE_AFTER_EXPIRY_MS = 60_000
/** Longest wait of a claim or of a verdict poll, in milliseconds. */
export const LONGEST_WAIT_MS = 10_000
/** Between host, store and domain controller; beyond it nothing is written, in milliseconds. */
export const LARGEST_CLOCK_SKEW_MS = 120_000
/** What the project does not claim to know about another clock, in milliseconds. */
export const CLOCK_UNCERTAINTY_MS = 2_000

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export const requestIdSchema = z.uuidv7().lowercase().describe('request id, UUIDv7, lower case')
export const agentIdSchema = z.uuidv7().lowercase().describe('agent id, UUIDv7, lower case')
export const storeIdSchema = z
  .string()
  .regex(/^[0-9a-f]{8}$/)
  .describe('store id: eight hex digits, made once')
export const anchorSchema = z
  .string()
  .regex(GUID)
  .describe('immutable anchor: objectGUID, mS-DS-ConsistencyGuid or entryUUID, lower case, with dashes')
export const serverIdSchema = z
  .string()
  .regex(GUID)
  .describe('invocationId of a domain controller, lower case, with dashes')
export const directoryNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/)
  .describe('name of a directory: lower case letters, digits, dashes')
export const plainTextSchema = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u)
    .describe(`text without control characters, at most ${longest}`)
export const timeSchema = z
  .int()
  .min(0)
  .max(8_640_000_000_000_000)
  .describe('milliseconds since 1970-01-01T00:00:00Z')
export const sequenceSchema = z
  .int()
  .min(1)
  .describe('per subject: the previous one plus 1, or the store’s time in milliseconds, whichever is larger')
export const leaseNumberSchema = z.int().min(1).describe('grows with every hand-out of the request')
export const operationSchema = z.enum(['reset', 'change', 'unlock', 'inspect'])
export const compactJwsSchema = z
  .string()
  .max(65_536)
  .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  .describe('JWS, compact serialization (RFC 7515)')
export const thumbprintSchema = z
  .string()
  .regex(/^[\w-]{43}$/)
  .describe('JWK SHA-256 thumbprint (RFC 7638), base64url')

/** What a request asks for. */
export type Operation = z.infer<typeof operationSchema>

/** A public P-256 key as both signing and sealing use it (RFC 7517, RFC 7518 section 6.2). */
export const publicKeySchema = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string().regex(/^[\w-]{43}$/),
  y: z.string().regex(/^[\w-]{43}$/),
  kid: z.string().min(1).max(64),
  use: z.enum(['sig', 'enc']),
  alg: z.enum(['ES256', 'ECDH-ES+A256KW']),
})
export type PublicKey = z.infer<typeof publicKeySchema>

/** A fresh UUIDv7, for request, agent and claim ids (RFC 9562 section 5.7). */
export const newId = (): string => v7()
