// Every call of an agent to the store: what it sends and what it gets.
import { z } from 'zod'
import { effectivePolicySchema } from './account-state.ts'
import {
  agentIdSchema,
  compactJwsSchema,
  directoryNameSchema,
  LONGEST_WAIT_MS,
  leaseNumberSchema,
  plainTextSchema,
  publicKeySchema,
  requestIdSchema,
  serverIdSchema,
  timeSchema,
} from './identifiers.ts'

/** Most leases an agent may hold, and most items in one batch. */
export const MOST_LEASES = 256

export const enrolCallSchema = z.strictObject({
  code: z.string().min(1).max(64).describe('the secret part of the enrolment code'),
  name: plainTextSchema(64),
  identityKey: publicKeySchema,
  sealingKey: compactJwsSchema.describe('JWS of type wb-sealing-key+jws'),
  proof: compactJwsSchema.describe('JWS of type wb-enrolment+jws by the identity key'),
})
export const enrolAnswerSchema = z.strictObject({
  keys: z.array(publicKeySchema).min(1).max(16),
  enrolled: compactJwsSchema.describe('JWS of type wb-enrolled+jws by the key that the enrolment code names'),
})

const leaseSchema = z.strictObject({ request: requestIdSchema, lease: leaseNumberSchema })

/** Most servers that can be declared gone at a time. */
export const MOST_GONE_SERVERS = 64
export const goneServersSchema = z
  .array(serverIdSchema)
  .max(MOST_GONE_SERVERS)
  .describe(
    'domain controllers that an operator declared gone for good: what was sent there counts as never to land, nobody waits for them, and nobody writes there',
  )

export const claimCallSchema = z.strictObject({
  claimId: z.uuid().describe('repeated: the same leases again'),
  leases: z
    .array(leaseSchema)
    .max(MOST_LEASES)
    .describe('leases held; any other lease of this agent lapses at once'),
  places: z
    .record(directoryNameSchema, z.int().min(0).max(MOST_LEASES))
    .describe('free places by directory; one that is not named has none. No places at all still renews'),
  waitMs: z.int().min(0).max(LONGEST_WAIT_MS),
})
export const claimAnswerSchema = z.strictObject({
  storeTime: timeSchema.describe('stamped at sending'),
  paused: z
    .boolean()
    .describe('no write may begin; an inspect, and what has a receipt, is handed out all the same'),
  renewed: z.array(leaseSchema).max(MOST_LEASES).describe('the named leases that still hold'),
  goneServers: goneServersSchema.default([]),
  requests: z.array(
    z.strictObject({
      request: requestIdSchema,
      lease: leaseNumberSchema,
      document: compactJwsSchema,
      earlier: z
        .array(z.strictObject({ agent: agentIdSchema, server: serverIdSchema }))
        .describe('receipts of this request under earlier leases; an inspect has none'),
      last: z
        .strictObject({
          server: serverIdSchema,
          marker: z.string().max(256).nullable(),
          settled: z.boolean(),
          others: z
            .array(serverIdSchema)
            .default([])
            .describe('while it is not settled: further servers for which it had receipts, newest first'),
        })
        .nullable()
        .describe(
          'the subject’s newest other request that had a receipt and may have written; null for an inspect, which waits for none',
        ),
    }),
  ),
})
export type ClaimCall = z.infer<typeof claimCallSchema>
export type ClaimAnswer = z.infer<typeof claimAnswerSchema>
export type ClaimedRequest = ClaimAnswer['requests'][number]

export const receiptsCallSchema = z.strictObject({
  receipts: z
    .array(z.strictObject({ request: requestIdSchema, lease: leaseNumberSchema, server: serverIdSchema }))
    .min(1)
    .max(MOST_LEASES),
})
export const receiptsAnswerSchema = z.strictObject({
  results: z.array(
    z.strictObject({
      request: requestIdSchema,
      result: z
        .enum(['accepted', 'lease_lost'])
        .describe('an inspect writes nothing and needs no receipt: for it always lease_lost'),
    }),
  ),
})
export type ReceiptsCall = z.infer<typeof receiptsCallSchema>
export type ReceiptsAnswer = z.infer<typeof receiptsAnswerSchema>

export const outcomesCallSchema = z.strictObject({
  outcomes: z.array(compactJwsSchema).min(1).max(MOST_LEASES),
})
export const outcomesAnswerSchema = z.strictObject({
  results: z.array(
    z.strictObject({
      request: requestIdSchema,
      result: z.enum(['accepted', 'outcome_closed', 'request_not_found']),
    }),
  ),
})
export type OutcomesAnswer = z.infer<typeof outcomesAnswerSchema>

export const heartbeatCallSchema = z.strictObject({
  version: plainTextSchema(32),
  conditions: z
    .array(
      z.strictObject({
        code: plainTextSchema(64),
        severity: z.enum(['warning', 'error']),
        since: timeSchema,
        dependsOn: z
          .array(plainTextSchema(64))
          .max(64)
          .optional()
          .describe('codes of conditions in this list that it follows from; left out: it is a cause'),
      }),
    )
    .max(64)
    .describe('causes first, then what follows from them'),
  queueDepth: z.int().min(0),
  storeOffsetMs: z.int().nullable().describe('store time minus host time, null when not known'),
  sealingKeyIds: z.array(z.string().max(64)).max(16),
  directories: z
    .array(
      z.strictObject({
        name: directoryNameSchema,
        connected: z.boolean(),
        server: serverIdSchema.nullable(),
        clockOffsetMs: z.int().nullable().describe('directory time minus host time'),
      }),
    )
    .max(64),
})
export const heartbeatAnswerSchema = z.strictObject({
  storeTime: timeSchema,
  paused: z.boolean(),
  revokedAgents: z.array(agentIdSchema).max(1024),
})
export type HeartbeatCall = z.infer<typeof heartbeatCallSchema>
export type HeartbeatAnswer = z.infer<typeof heartbeatAnswerSchema>

/** Most sealing keys of one agent at a time. */
export const MOST_SEALING_KEYS = 16

export const sealingKeysCallSchema = z.strictObject({
  sealingKeys: z
    .array(compactJwsSchema)
    .min(1)
    .max(MOST_SEALING_KEYS)
    .describe(
      'every sealing key that this agent holds, oldest first, each a JWS of type wb-sealing-key+jws by its identity key; they replace those before, and from now on passwords are sealed to the last one',
    ),
})
export const sealingKeysAnswerSchema = z.strictObject({
  storeTime: timeSchema.describe('stamped at sending'),
  needed: z
    .array(z.string().max(64))
    .max(MOST_SEALING_KEYS)
    .describe(
      'ids of those keys that a request which has not ended may be sealed to; none but the last can become needed again',
    ),
})
export type SealingKeysCall = z.infer<typeof sealingKeysCallSchema>
export type SealingKeysAnswer = z.infer<typeof sealingKeysAnswerSchema>

/** Most password policies of one directory. */
const MOST_POLICIES = 256

export const policiesCallSchema = z.strictObject({
  readAt: timeSchema.describe('store time as the agent knows it'),
  policies: z
    .array(effectivePolicySchema)
    .max(MOST_POLICIES)
    .describe('the policy of the domain, and every fine-grained one, as far as they can be read'),
  problems: z
    .array(z.strictObject({ name: plainTextSchema(256), problem: plainTextSchema(500) }))
    .max(MOST_POLICIES)
    .describe('policies that are there and cannot be read, and what is missing to read them'),
})
export type PoliciesCall = z.infer<typeof policiesCallSchema>
