// How a request ended, signed by the agent that carried it. Signed once, kept as bytes, repeated unchanged.
import { z } from 'zod'
import { accountStateSchema, effectivePolicySchema, ruleSchema } from './account-state.ts'
import {
  FAILURE_REASONS,
  type FailureReason,
  NOTICES,
  type Notice,
  REFUSAL_REASONS,
  type RefusalReason,
} from './codes.ts'
import {
  agentIdSchema,
  directoryNameSchema,
  leaseNumberSchema,
  plainTextSchema,
  requestIdSchema,
  serverIdSchema,
  storeIdSchema,
  timeSchema,
} from './identifiers.ts'
import { type FindKey, type SigningKey, signMessage, verifyMessage } from './signed-message.ts'

const keysOf = <K extends string>(table: Record<K, unknown>) => Object.keys(table) as [K, ...K[]]

const sharedFields = {
  request: requestIdSchema,
  store: storeIdSchema,
  agent: agentIdSchema,
  directory: directoryNameSchema.nullable().describe('null when the document could not be read'),
  lease: leaseNumberSchema.describe('lease number under which it was decided'),
  server: serverIdSchema
    .nullable()
    .describe('the domain controller that was read or written, null when none was'),
  marker: z
    .string()
    .max(256)
    .nullable()
    .describe('marker of the account as this outcome leaves it, null when it is not known'),
  decidedAt: timeSchema.describe('store time as the agent knows it'),
  notices: z
    .array(z.enum(keysOf(NOTICES) as [Notice, ...Notice[]]))
    .max(8)
    .describe('what is worth knowing beside the outcome; x-codes says who acts and the next step'),
  detail: plainTextSchema(500)
    .nullable()
    .describe('more for the help desk: the directory’s own word, or the agent’s'),
}

// An agent of an earlier version did not name them, and what it signed stays as it is.
const nothing = z.null().default(null).describe('null')
const nothingTold = { account: nothing, rule: nothing, policy: nothing }

/**
 * The signed outcome. A reason goes with `refused` and `failed` only, a rule and a policy with `refused`, an account with
 * `applied`.
 */
export const outcomeSchema = z
  .discriminatedUnion('outcome', [
    z.strictObject({
      ...sharedFields,
      ...nothingTold,
      outcome: z.literal('applied'),
      account: accountStateSchema.nullable().default(null).describe('of an inspect; of what writes null'),
    }),
    z.strictObject({
      ...sharedFields,
      ...nothingTold,
      outcome: z.enum(['superseded', 'expired', 'unknown']),
    }),
    z.strictObject({
      ...sharedFields,
      ...nothingTold,
      rule: ruleSchema
        .nullable()
        .default(null)
        .describe('of a refused password, when the rule is known; else null'),
      policy: effectivePolicySchema
        .nullable()
        .default(null)
        .describe('the effective policy, beside a refused password; null when it cannot be read, and else'),
      outcome: z.literal('refused'),
      reason: z.enum(keysOf(REFUSAL_REASONS) as [RefusalReason, ...RefusalReason[]]),
    }),
    z.strictObject({
      ...sharedFields,
      ...nothingTold,
      outcome: z.literal('failed'),
      reason: z.enum(keysOf(FAILURE_REASONS) as [FailureReason, ...FailureReason[]]),
    }),
  ])
  .describe('outcome, payload of a JWS of type wb-outcome+jws by the agent’s identity key')
export type Outcome = z.infer<typeof outcomeSchema>

/** Signs an outcome with the agent's identity key. Keep the result: the same request must be answered by the same bytes. */
export const signOutcome = (outcome: Outcome, signer: SigningKey): Promise<string> =>
  signMessage('wb-outcome+jws', outcome, signer)

/** Verifies an outcome at the store. Throws ERR_SIGNATURE_INVALID, ERR_JSON_INVALID or ERR_DOCUMENT_INVALID. */
export async function verifyOutcome(jws: string, findKey: FindKey): Promise<Outcome> {
  return (await verifyMessage('wb-outcome+jws', jws, outcomeSchema, findKey)).payload
}
