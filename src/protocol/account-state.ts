// What the contract says about an account: the policy that applies to it, and the state that `inspect` reports.
import { z } from 'zod'
import type { PasswordPolicy } from '../policy/password-policy.ts'
import type { Rule } from '../policy/rule.ts'
import { REFUSAL_REASONS, type RefusalReason } from './codes.ts'
import { anchorSchema, plainTextSchema, timeSchema } from './identifiers.ts'

const durationSchema = z.int().min(0).describe('milliseconds')
const countSchema = z.int().min(0).max(2_147_483_647)

/** The password policy that a directory applies, with where it comes from. */
export const effectivePolicySchema = z
  .strictObject({
    name: plainTextSchema(256).describe(
      'of a fine-grained policy its common name; of the domain’s the word `domain`',
    ),
    source: z.enum(['domain', 'fine_grained']),
    minimumLength: countSchema.describe('UTF-16 code units'),
    complexity: z.boolean().describe('three of five classes of characters'),
    refusesNames: z.boolean().describe('account and display name are refused inside a password'),
    historyLength: countSchema.describe('0: none'),
    minimumAgeMs: durationSchema.describe('0: none; counts for a change, not for a reset'),
    maximumAgeMs: durationSchema.nullable().describe('null: passwords never expire'),
    lockoutThreshold: countSchema.describe('0: accounts never lock'),
    lockoutDurationMs: durationSchema.nullable().describe('null: until somebody unlocks'),
    lockoutWindowMs: durationSchema,
  })
  .describe('effective password policy')
export type EffectivePolicy = z.infer<typeof effectivePolicySchema> & PasswordPolicy

/** The rule that a refused password broke, as what would be accepted. */
export const ruleSchema: z.ZodType<Rule> = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('minimum_length'),
      characters: countSchema.describe('fewest UTF-16 code units'),
    }),
    z.strictObject({
      kind: z.literal('character_classes'),
      least: countSchema.describe('fewest classes of characters'),
      of: countSchema.describe('classes there are'),
    }),
    z.strictObject({ kind: z.literal('no_names').describe('neither account nor display name inside') }),
    z.strictObject({ kind: z.literal('not_blocklisted').describe('not on the agent’s own list') }),
    z.strictObject({
      kind: z.literal('changeable_from').describe('a change, from this time on'),
      at: timeSchema.describe('directory clock, milliseconds since 1970-01-01T00:00:00Z'),
    }),
    z.strictObject({
      kind: z.literal('not_used_before'),
      remembered: countSchema.describe('so many earlier passwords are remembered'),
    }),
  ])
  .describe('the rule that was broken, as what would be accepted')

const reasons = Object.keys(REFUSAL_REASONS) as [RefusalReason, ...RefusalReason[]]
const refusalSchema = z.enum(reasons).nullable().describe('why it would be refused now; null: it would not')

/** What `inspect` tells of an account. Of a protected account, or one out of scope, nothing is told. */
export const accountStateSchema = z
  .strictObject({
    objectGuid: anchorSchema.describe('the immutable id of the entry; the store pins it to the anchor'),
    refusals: z
      .strictObject({ reset: refusalSchema, change: refusalSchema, unlock: refusalSchema })
      .describe('whether writeback is possible'),
    locked: z.boolean().describe('by wrong passwords, now; a lockout that has run out is none'),
    disabled: z.boolean().describe('by an administrator'),
    smartcardRequired: z.boolean().describe('signs in by smart card only'),
    mustChange: z.boolean().describe('a new password is asked for at the next sign-in'),
    passwordNeverExpires: z.boolean().describe('by the flag of the account, whatever the policy says'),
    passwordChangedAt: timeSchema.nullable().describe('directory clock; null: never, or must change'),
    passwordExpiresAt: timeSchema.nullable().describe('directory clock; null: never'),
    accountExpiresAt: timeSchema.nullable().describe('directory clock; null: never'),
    policy: effectivePolicySchema.nullable().describe('null: it cannot be read, see policyProblem'),
    policyProblem: plainTextSchema(500).nullable().describe('what is missing to read the policy'),
  })
  .describe('state of an account')
export type AccountState = z.infer<typeof accountStateSchema>
