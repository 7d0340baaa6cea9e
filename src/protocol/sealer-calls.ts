// The calls of whoever asks for a reset and holds the password first: create, seal, watch the verdict.
import { z } from 'zod'
import { accountStateSchema, effectivePolicySchema, ruleSchema } from './account-state.ts'
import { FAILURE_REASONS, NOTICES, OUTCOMES, REFUSAL_REASONS } from './codes.ts'
import {
  anchorSchema,
  directoryNameSchema,
  operationSchema,
  plainTextSchema,
  requestIdSchema,
  timeSchema,
} from './identifiers.ts'
import { actorSchema, resetOptionsSchema } from './request-document.ts'
import { sealedSchema } from './sealed-password.ts'
import { sealingAgentSchema } from './sealing-key.ts'

export const createRequestCallSchema = z.strictObject({
  directory: directoryNameSchema,
  operation: operationSchema,
  options: resetOptionsSchema
    .partial()
    .describe(
      'of a reset; what is left out: unlock true, mustChangeAtNextSignIn false. Other operations have none',
    ),
  actor: actorSchema
    .omit({ audit: true })
    .partial({ name: true, methods: true })
    .optional()
    .describe(
      'who asks, where it is not the caller: `self`, the user whose account it is, is treated more strictly on premises. Left out: the caller, an administrator',
    ),
})
export const createRequestAnswerSchema = z.strictObject({
  request: requestIdSchema,
  directory: directoryNameSchema,
  operation: operationSchema,
  anchor: anchorSchema,
  expiresAt: timeSchema,
  agents: z
    .array(sealingAgentSchema)
    .describe(
      'of a reset or change every active agent of the directory: seal to all of them. Empty for unlock and inspect, which have nothing to seal',
    ),
})
export type CreateRequestCall = z.infer<typeof createRequestCallSchema>
export type CreateRequestAnswer = z.infer<typeof createRequestAnswerSchema>

export const sealCallSchema = sealedSchema
export const sealAnswerSchema = z.strictObject({
  request: requestIdSchema,
  state: z.enum(['waiting', 'in_progress', 'closed']),
})

const names = <K extends string>(...tables: readonly Record<K, unknown>[]) =>
  z.enum(tables.flatMap((table) => Object.keys(table)) as [K, ...K[]])

export const verdictSchema = z.strictObject({
  request: requestIdSchema,
  operation: operationSchema,
  directory: directoryNameSchema,
  displayName: plainTextSchema(256),
  state: z.enum(['unsealed', 'waiting', 'in_progress', 'closed']),
  createdAt: timeSchema,
  expiresAt: timeSchema,
  outcome: names(OUTCOMES).nullable().describe('null until closed'),
  reason: names<string>(REFUSAL_REASONS, FAILURE_REASONS).nullable(),
  notices: z.array(names(NOTICES)).describe('what is worth knowing beside the outcome; see x-codes'),
  detail: z.string().nullable().describe('more for the help desk: the directory’s own word, or the agent’s'),
  account: accountStateSchema.nullable().describe('what an inspect found; else null'),
  rule: ruleSchema.nullable().describe('what would have been accepted, when that is known; else null'),
  policy: effectivePolicySchema.nullable().describe('the policy beside a refused password; else null'),
  stages: z
    .array(
      z.strictObject({
        stage: z.enum(['created', 'sealed', 'claimed', 'received', 'closed']),
        at: timeSchema,
        agent: z.string().nullable(),
      }),
    )
    .describe('what happened, in order'),
})
export type Verdict = z.infer<typeof verdictSchema>
