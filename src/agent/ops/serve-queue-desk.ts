// The desk's questions over HTTP, on the operators' socket alone.
import type { FastifyInstance } from 'fastify'
import type { QueueDesk } from './queue-desk.ts'

const MOST_LISTED = 1_000
const USUALLY_LISTED = 50
const LONGEST_NAME = 64

/** Adds the calls below /queue. */
export function serveQueueDesk(server: FastifyInstance, desk: QueueDesk): void {
  server.get<{ Querystring: Query }>('/queue', ({ query }) =>
    desk.list(word(query.directory), limitOf(query.limit)),
  )
  server.get<{ Params: Named }>('/queue/requests/:id', async ({ params }) => ({
    request: (await desk.show(params.id)) ?? null,
  }))
  server.post<{ Params: Named }>('/queue/requests/:id/retry', ({ params }) => desk.retry(params.id))
  server.post<{ Params: Named; Querystring: Query }>('/queue/requests/:id/drop', ({ params, query }) =>
    desk.drop(params.id, nameOf(query.by)),
  )
  server.post<{ Querystring: Query }>('/queue/pause', async ({ query }) => desk.pause(nameOf(query.by)))
  server.post<{ Querystring: Query }>('/queue/resume', async ({ query }) => desk.resume(nameOf(query.by)))
}

interface Named {
  readonly id: string
}

interface Query {
  readonly directory?: unknown
  readonly limit?: unknown
  readonly by?: unknown
}

const word = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

function limitOf(value: unknown): number {
  const limit = Number(word(value) ?? USUALLY_LISTED)
  return Number.isInteger(limit) && limit > 0 ? Math.min(limit, MOST_LISTED) : USUALLY_LISTED
}

/** Whoever may use the socket says who they are; it stands in the record and on screens. */
function nameOf(value: unknown): string {
  const name = (word(value) ?? '').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return name === '' ? 'an operator' : name.slice(0, LONGEST_NAME).toWellFormed()
}
