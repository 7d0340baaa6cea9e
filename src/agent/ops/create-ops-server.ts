// HTTP for operators on a unix socket of the state directory: alive, ready, status, and the breaker.
import { chmod, rm } from 'node:fs/promises'
import fastify, { type FastifyInstance } from 'fastify'
import { WritebackError } from '../../errors/writeback-error.ts'
import type { AgentViews } from './describe-agent.ts'

/** A running part. */
export interface OpsServer {
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Makes the server. Throws ERR_LISTEN at start when the socket cannot be made. */
export function createOpsServer(socket: string, views: AgentViews): OpsServer {
  const server = fastify({ logger: false, forceCloseConnections: true })
  addRoutes(server, views)
  return {
    start: async () => {
      try {
        // A socket file of a process that was killed; the journal's lock says that no other agent lives here.
        await rm(socket, { force: true })
        await server.listen({ path: socket })
        await chmod(socket, 0o600)
      } catch (cause) {
        throw new WritebackError('ERR_LISTEN', `operators' socket ${socket} cannot be made`, { cause })
      }
    },
    stop: () => server.close(),
  }
}

function addRoutes(server: FastifyInstance, views: AgentViews): void {
  server.get('/livez', () => ({ live: true }))
  server.get('/readyz', (_request, reply) => {
    const ready = views.isReady()
    const conditions = views.conditions().map(({ code, subject, severity }) => ({ code, subject, severity }))
    return reply.code(ready ? 200 : 503).send({ ready, conditions })
  })
  server.get('/status', () => views.view())
  server.post<{ Params: { directory: string } }>('/breakers/:directory/close', (request, reply) =>
    reply.code(200).send({ closed: views.closeBreaker(request.params.directory) }),
  )
}
