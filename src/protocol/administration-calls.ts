// The calls of the store's administrator: users, agents, enrolment codes, policies, pause.
import { z } from 'zod'
import { goneServersSchema, policiesCallSchema } from './agent-calls.ts'
import {
  agentIdSchema,
  anchorSchema,
  directoryNameSchema,
  plainTextSchema,
  thumbprintSchema,
  timeSchema,
} from './identifiers.ts'
import { createRequestAnswerSchema, verdictSchema } from './sealer-calls.ts'

export const newUserSchema = z.strictObject({
  name: plainTextSchema(256),
  displayName: plainTextSchema(256),
  directory: directoryNameSchema,
  anchor: anchorSchema,
})
export type NewUser = z.infer<typeof newUserSchema>

export const userSchema = newUserSchema.extend({
  objectGuid: anchorSchema
    .nullable()
    .describe('the pin: objectGUID of the entry that the newest inspect found; null: none yet'),
})
export type User = z.infer<typeof userSchema>
export const usersAnswerSchema = z.strictObject({ users: z.array(userSchema) })

export const agentSchema = z.strictObject({
  agent: agentIdSchema,
  name: plainTextSchema(64),
  directories: z.array(directoryNameSchema),
  state: z.enum(['active', 'silent', 'revoked']).describe('silent: no call for more than two minutes'),
  identity: thumbprintSchema.describe('thumbprint of the identity key, to compare with what the agent shows'),
  enrolledAt: timeSchema,
  lastSeenAt: timeSchema.nullable(),
  version: z.string().nullable(),
  queueDepth: z.int().nullable(),
  conditions: z.array(z.string()),
})
export type AgentListing = z.infer<typeof agentSchema>
export const agentsAnswerSchema = z.strictObject({ agents: z.array(agentSchema) })

export const enrolmentCodeCallSchema = z.strictObject({
  directories: z.array(directoryNameSchema).min(1).max(64),
  validForMs: z.int().min(60_000).max(86_400_000),
})
export const enrolmentCodeAnswerSchema = z.strictObject({ code: z.string(), expiresAt: timeSchema })

export const policiesAnswerSchema = policiesCallSchema.extend({
  directory: directoryNameSchema,
  agent: agentIdSchema,
  name: plainTextSchema(64).describe('name of the agent that published them'),
  publishedAt: timeSchema.describe('store time'),
})
export type PoliciesAnswer = z.infer<typeof policiesAnswerSchema>

export const pauseSchema = z.strictObject({ paused: z.boolean() })

export const goneSchema = z.strictObject({ gone: z.boolean().describe('false takes the declaration back') })
export const goneServersAnswerSchema = z.strictObject({ servers: goneServersSchema })

export const requestsAnswerSchema = z.strictObject({ requests: z.array(verdictSchema).max(200) })

const userNameSchema = plainTextSchema(256)

export const probeSchema = z.strictObject({
  user: userNameSchema,
  everyMs: z.int().min(1),
  last: verdictSchema
    .pick({ request: true, state: true, createdAt: true, outcome: true, reason: true, detail: true })
    .extend({ closedAt: timeSchema.nullable() })
    .nullable()
    .describe('the newest probe; null: there was none'),
  lastAppliedAt: timeSchema
    .nullable()
    .describe('when the newest one that was applied was begun; null: none was'),
  late: z.boolean().describe('twice the interval has passed since then'),
  problem: plainTextSchema(500).nullable().describe('why none can be begun now; else null'),
})
export type Probe = z.infer<typeof probeSchema>
export const probesAnswerSchema = z.strictObject({ probes: z.array(probeSchema).max(64) })

export const runProbeCallSchema = z.strictObject({ user: userNameSchema })
export const runProbeAnswerSchema = createRequestAnswerSchema.pick({ request: true, expiresAt: true })
export type RunProbeAnswer = z.infer<typeof runProbeAnswerSchema>
