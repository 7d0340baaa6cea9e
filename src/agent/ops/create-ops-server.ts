// HTTP for operators: alive, ready, status and metrics on a unix socket of the state directory and, where it is wanted, on a port
// of the loopback address; breaker and queue on the socket alone, whose file says who may.
import { chmod, rm } from 'node:fs/promises'
import fastify, { type FastifyInstance } from 'fastify'
import { WritebackError } from '../../errors/writeback-error.ts'
import type { AgentControls, AgentViews } from './describe-agent.ts'
import { NO_SCHEMAS } from './no-schemas.ts'
import type { QueueDesk } from './queue-desk.ts'
import type { BoardOptions } from './serve-board.ts'
import { serveQueueDesk } from './serve-queue-desk.ts'

/** A running part. */
export interface OpsServer {
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Where the server listens. */
export interface OpsPlaces {
  readonly socket: string
  /** On 127.0.0.1, for what only looks; undefined: nowhere. */
  readonly port: number | undefined
  /** The queue board on a port of 127.0.0.1 of its own; undefined: nowhere. */
  readonly board?: (BoardOptions & { readonly port: number }) | undefined
}

/** What operators may do over the socket, beside asking. */
export interface OpsActions {
  readonly controls?: AgentControls
  readonly desk?: QueueDesk
}

const LOOPBACK = '127.0.0.1'

/** Makes the server. Throws ERR_LISTEN at start when the socket cannot be made, or the port is taken. */
export function createOpsServer(
  { socket, port, board }: OpsPlaces,
  views: AgentViews,
  { controls, desk }: OpsActions = {},
): OpsServer {
  const onSocket = makeServer(views)
  addActions(onSocket, views)
  if (controls) addControls(onSocket, controls)
  if (desk) serveQueueDesk(onSocket, desk)
  const onPort = port === undefined ? undefined : makeServer(views)
  let boardServer: FastifyInstance | undefined
  return {
    start: async () => {
      await listen(`operators' socket ${socket} cannot be made`, async () => {
        // A socket file of a process that was killed; the journal's lock says that no other agent lives here.
        await rm(socket, { force: true })
        await onSocket.listen({ path: socket })
        await chmod(socket, 0o600)
      })
      await listen(`operators' port ${port} of ${LOOPBACK} cannot be had`, async () => {
        if (port !== undefined) await onPort?.listen({ host: LOOPBACK, port })
      })
      await listen(`port ${board?.port} of ${LOOPBACK}, for the queue board, cannot be had`, async () => {
        if (board === undefined) return
        // Loaded here: few agents have a board.
        const { createBoardServer } = await import('./serve-board.ts')
        boardServer = createBoardServer(board)
        await boardServer.listen({ host: LOOPBACK, port: board.port })
      })
    },
    stop: async () => {
      await Promise.all([onSocket.close(), onPort?.close(), boardServer?.close()])
    },
  }
}

async function listen(fault: string, begin: () => Promise<void>): Promise<void> {
  try {
    await begin()
  } catch (cause) {
    throw new WritebackError('ERR_LISTEN', fault, { cause })
  }
}

function makeServer(views: AgentViews): FastifyInstance {
  const server = fastify({ ...NO_SCHEMAS, logger: false, forceCloseConnections: true })
  addRoutes(server, views)
  return server
}

function addRoutes(server: FastifyInstance, views: AgentViews): void {
  server.get('/livez', () => ({ live: true }))
  server.get('/readyz', (_request, reply) => {
    const ready = views.isReady()
    const conditions = views.conditions().map(({ code, subject, severity, dependsOn }) => ({
      ...{ code, subject, severity, dependsOn },
    }))
    return reply.code(ready ? 200 : 503).send({ ready, conditions })
  })
  server.get('/status', () => views.view())
  server.get('/metrics', async (_request, reply) => {
    const { text, contentType } = await views.metrics()
    return reply.type(contentType).send(text)
  })
}

function addActions(server: FastifyInstance, views: AgentViews): void {
  server.post<{ Params: { directory: string } }>('/breakers/:directory/close', (request, reply) =>
    reply.code(200).send({ closed: views.closeBreaker(request.params.directory) }),
  )
  server.get('/keys', () => ({ keys: views.keys() }))
  server.post('/keys/rotate', () => views.rotateKey())
}

function addControls(server: FastifyInstance, controls: AgentControls): void {
  server.post('/stop', (_request, reply) => reply.code(200).send(controls.stop()))
  server.post('/reload', (_request, reply) => reply.code(200).send(controls.reload()))
}
