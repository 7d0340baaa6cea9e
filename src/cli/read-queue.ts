// The part of the agent's answers about its queue that a person is shown. The agent may be of another version: more is taken,
// less is not.
import { z } from 'zod'

const text = z.string().nullable()
const time = z.number().nullable()

const openSchema = z.looseObject({
  ...{ id: z.string(), directory: z.string(), operation: z.string(), stage: z.string() },
  ...{ issuedAt: time, expiresAt: z.number(), lease: z.number(), attempts: z.number() },
  ...{ server: text, nextLookInMs: time },
})

const pauseSchema = z.looseObject({
  store: z.boolean(),
  here: z.looseObject({ by: z.string(), at: z.number() }).nullable(),
})

const requestSchema = z.looseObject({
  ...{ now: z.number(), id: z.string(), directory: z.string(), subject: z.string() },
  open: openSchema.nullable(),
  ended: z
    .looseObject({
      ...{ state: z.string(), at: z.number(), outcome: text, reason: text, detail: text },
      ...{ server: text, storeAnswer: text },
    })
    .nullable(),
  earlier: z.array(z.looseObject({ agent: z.string(), server: z.string() })),
  attempts: z.array(
    z.looseObject({
      ...{ n: z.number(), action: z.string(), server: z.string(), startedAt: z.number(), answer: text },
    }),
  ),
})

const queueSchema = z.looseObject({
  ...{ now: z.number(), pause: pauseSchema, total: z.number(), requests: z.array(openSchema) },
})
const deedSchema = z.looseObject({ result: z.string(), request: requestSchema.nullable() })
const shownSchema = z.looseObject({ request: requestSchema.nullable() })

/** The open requests, and who paused. */
export type ShownQueue = z.output<typeof queueSchema>
/** One request. */
export type ShownRequest = z.output<typeof requestSchema>
/** Who paused. */
export type ShownPause = z.output<typeof pauseSchema>
/** What became of a retry or a drop. */
export type ShownDeed = z.output<typeof deedSchema>

/** Each gives undefined when no agent answered. */
export const readQueue = (answer: unknown): ShownQueue | undefined => queueSchema.safeParse(answer).data
/** null: the agent does not know the request. */
export const readRequest = (answer: unknown): ShownRequest | null | undefined =>
  shownSchema.safeParse(answer).data?.request
/** A retry or a drop. */
export const readDeed = (answer: unknown): ShownDeed | undefined => deedSchema.safeParse(answer).data
/** A pause or a resume. */
export const readPause = (answer: unknown): ShownPause | undefined => pauseSchema.safeParse(answer).data
