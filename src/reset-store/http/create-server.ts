// The HTTPS server of the store: limits, headers, problem documents, and the few routes beside the contract.
import type { Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { requireCertificates } from '../../config/pem-file.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import { buildOpenApi } from '../../protocol/openapi.ts'
import { problemOf } from '../../protocol/problem.ts'
import { LARGEST_BODY } from '../../protocol/strict-json.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { createErrorAnswer, PROBLEM_TYPE, sendProblem } from './problem-answers.ts'
import { type Served, serveCalls } from './serve-calls.ts'

/** Where the server listens, and with which certificate (PEM). */
export interface ServerOptions {
  readonly listen: { readonly host: string; readonly port: number }
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa?: string }
  readonly log: Logger
  /** True while the store can serve; what /readyz says. */
  readonly isReady: () => boolean
}

/** The running server. */
export interface StoreServer {
  /** Returns the port. Throws ERR_LISTEN. */
  readonly start: () => Promise<number>
  /** Answers what is under way, then closes every connection, at the latest after `withinMs`. */
  readonly stop: (withinMs: number) => Promise<void>
}

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
}

const refuseSchema = () => () => {
  throw new Error('no route has a schema')
}
// Fastify would load its two compilers of schemas all the same, a tenth of a start.
const NO_SCHEMAS = {
  schemaController: { compilersFactory: { buildValidator: refuseSchema, buildSerializer: refuseSchema } },
}

/** Makes the server. Throws ERR_CONFIG_INVALID when `clientCa` holds no certificate. */
export function createServer(served: Served, options: ServerOptions): StoreServer {
  const answerError = createErrorAnswer(options.log)
  const server = Fastify({
    ...NO_SCHEMAS,
    https: httpsOptions(options.tls),
    bodyLimit: LARGEST_BODY,
    // One long poll, and the time to send a body after it.
    requestTimeout: 30_000,
    keepAliveTimeout: 75_000,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    logger: false,
    frameworkErrors: answerError,
    clientErrorHandler: refuseBrokenCall,
  }) as unknown as FastifyInstance
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  server.addHook('onRequest', async (_request, reply) => {
    reply.headers(HEADERS)
  })
  server.setErrorHandler(answerError)
  server.setNotFoundHandler((_request, reply) => sendProblem(reply, problemOf('route_not_found')))
  serveCalls(server, served)
  serveAround(server, options.isReady)
  return { start: () => listen(server, options), stop: (withinMs) => close(server, withinMs) }
}

function httpsOptions({ cert, key, clientCa }: ServerOptions['tls']) {
  const own = { cert, key, minVersion: 'TLSv1.2' as const }
  if (clientCa === undefined) return own
  requireCertificates(clientCa, 'the text with the authorities of clients')
  return { ...own, ca: clientCa, requestCert: true, rejectUnauthorized: true }
}

function serveAround(server: FastifyInstance, isReady: () => boolean): void {
  let openApi: string | undefined
  server.get('/v1/openapi.json', (_request, reply) => {
    openApi ??= JSON.stringify(buildOpenApi())
    return reply.header('content-type', 'application/json').send(openApi)
  })
  server.get('/livez', (_request, reply) => reply.send({ live: true }))
  server.get('/readyz', (_request, reply) => {
    const ready = isReady()
    return reply.code(ready ? 200 : 503).send({ ready })
  })
}

async function listen(server: FastifyInstance, { listen: { host, port } }: ServerOptions): Promise<number> {
  try {
    await server.listen({ host, port })
  } catch (cause) {
    throw new WritebackError('ERR_LISTEN', `cannot listen on ${host} port ${port}`, { cause })
  }
  const address = server.server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

const CLOSE_IDLE_EVERY_MS = 20

async function close(server: FastifyInstance, withinMs: number): Promise<void> {
  const listener = server.server as HttpsServer
  const deadline = setTimeout(() => listener.closeAllConnections(), withinMs)
  // A kept connection whose last answer went out after the close began becomes idle only then.
  const closing = setInterval(() => listener.closeIdleConnections(), CLOSE_IDLE_EVERY_MS)
  try {
    await server.close()
  } finally {
    clearTimeout(deadline)
    clearInterval(closing)
  }
}

// Bytes that are not HTTP never reach a route; they get the same kind of answer, and the connection ends.
function refuseBrokenCall(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const body = JSON.stringify(problemOf('call_invalid'))
  const head = ['HTTP/1.1 400 Bad Request', `content-type: ${PROBLEM_TYPE}`, `content-length: ${body.length}`]
  socket.end(`${[...head, 'connection: close'].join('\r\n')}\r\n\r\n${body}`)
}
