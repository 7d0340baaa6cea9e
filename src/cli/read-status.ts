// The part of an agent's /status that a person is shown. The agent may be of another version: more is taken, less is not.
import { z } from 'zod'

const time = z.number().nullable()
const count = z.number()

const statusSchema = z.looseObject({
  version: z.string(),
  agent: z.string(),
  ready: z.boolean(),
  paused: z.boolean(),
  startedAt: z.number(),
  storeOffsetMs: time,
  requests: z.looseObject({
    ...{ open: count, undelivered: count, finished: count },
    ...{ oldestOpenAt: time, oldestUndeliveredAt: time },
  }),
  queues: z.record(z.string(), z.looseObject({ waiting: count, active: count, delayed: count }).nullable()),
  directories: z.array(
    z.looseObject({
      name: z.string(),
      connected: z.boolean(),
      server: z.string().nullable(),
      url: z.string().nullable(),
      clockOffsetMs: time,
      discovery: z
        .looseObject({
          ...{ domain: z.string(), foundAt: time, problem: z.string().nullable() },
          ...{ controllers: z.array(z.string()), vanished: z.array(z.string()) },
        })
        .nullable()
        .default(null),
    }),
  ),
  conditions: z.array(
    z.looseObject({
      code: z.string(),
      subject: z.string(),
      severity: z.enum(['warning', 'error']),
      since: z.number(),
      detail: z.string(),
      remedy: z.string(),
      dependsOn: z.array(z.string()).default([]),
    }),
  ),
  lastOutcomes: z
    .array(
      z.looseObject({
        ...{ request: z.string(), directory: z.string(), operation: z.string(), outcome: z.string() },
        ...{ reason: z.string().nullable(), at: z.number() },
      }),
    )
    .default([]),
  reports: z
    .array(
      z.looseObject({
        ...{ directory: z.string(), writtenAt: z.number(), locked: count, expiring: count },
        isCut: z.boolean(),
      }),
    )
    .default([]),
  probes: z
    .array(
      z.looseObject({
        ...{ directory: z.string(), lastAppliedAt: time },
        last: z
          .looseObject({ outcome: z.string(), reason: z.string().nullable(), at: z.number() })
          .nullable(),
      }),
    )
    .default([]),
  jobs: z
    .array(
      z.looseObject({
        ...{ name: z.string(), lastResult: z.enum(['done', 'failed']).nullable() },
        ...{ lastRunAt: time, lastDurationMs: time, nextRunAt: time },
        ...{ problem: z.string().nullable(), isRunning: z.boolean() },
      }),
    )
    .default([]),
})

/** What is shown of a running agent; all times as in the agent's own view. */
export type AgentStatus = z.output<typeof statusSchema>

/** The status in an answer, with whatever else is in it; undefined: no agent answered. */
export const readStatus = (answer: unknown): AgentStatus | undefined => statusSchema.safeParse(answer).data
