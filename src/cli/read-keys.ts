// The keys in an agent's answer. The agent may be of another version: more is taken, less is not.
import { z } from 'zod'

const keysSchema = z.looseObject({
  keys: z.array(
    z.looseObject({
      kind: z.enum(['identity', 'sealing', 'store']),
      id: z.string(),
      createdAt: z.number(),
      acceptedAt: z.number().nullable(),
      validUntil: z.number().nullable(),
      state: z.enum(['current', 'new', 'old']),
    }),
  ),
})
/** One key of a running agent. */
export type ListedKey = z.output<typeof keysSchema>['keys'][number]

/** The keys in an answer; undefined: no agent answered. */
export const readKeys = (answer: unknown): readonly ListedKey[] | undefined =>
  keysSchema.safeParse(answer).data?.keys

const rotationSchema = z.looseObject({
  state: z.enum(['rotated', 'not_accepted', 'full']),
  key: z.string().nullable(),
  problem: z.string().nullable(),
})
/** What a rotation came to. */
export type RotationAnswer = Pick<z.output<typeof rotationSchema>, 'state' | 'key' | 'problem'>

/** The rotation in an answer; undefined: no agent answered, or it could make no key. */
export const readRotation = (answer: unknown): RotationAnswer | undefined =>
  rotationSchema.safeParse(answer).data
