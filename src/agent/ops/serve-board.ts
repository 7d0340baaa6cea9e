// The queue board over HTTP, on a port of the loopback address of its own: nothing without the token, and nothing that changes
// anything.
import { extname } from 'node:path'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Clock } from '../../clock/clock.ts'
import { errorFields, type Logger } from '../../telemetry/logger.ts'
import type { QueueBoard } from '../queue/queue-board.ts'
import { type BoardDoor, createBoardDoor } from './board-door.ts'
import { writeLoginPage } from './login-page.ts'
import { NO_SCHEMAS } from './no-schemas.ts'

/** What the server is made of. */
export interface BoardOptions {
  readonly tokenHash: string
  readonly clock: Clock
  readonly log: Logger
  /** The board; undefined while the queues are not open. */
  readonly board: () => Promise<QueueBoard | undefined>
}

const COOKIE = 'writeback_board'
const LARGEST_BODY = 1_024

// Another page may neither frame, read nor guide this one, and this one loads nothing from elsewhere.
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
}

/** Makes the server; it does not listen yet. */
export function createBoardServer(options: BoardOptions): FastifyInstance {
  const server = fastify({
    ...NO_SCHEMAS,
    logger: false,
    forceCloseConnections: true,
    bodyLimit: LARGEST_BODY,
  })
  const door = createBoardDoor(options.tokenHash, options.clock)
  server.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS)
    // A name of somebody's own that leads to this address must not read the board through a browser (DNS rebinding).
    if (!isOwnName(request.hostname)) return reply.code(421).type('text/plain').send('not this host\n')
    if (request.url.split('?')[0] === '/login' || door.isOpenFor(sessionOf(request))) return undefined
    if (request.url.startsWith('/api/')) return reply.code(401).send({ error: 'sign in first' })
    return reply.redirect('/login', 303)
  })
  server.setErrorHandler((error, _request, reply) => {
    const { statusCode = 500 } = error as { readonly statusCode?: number }
    if (statusCode >= 500) options.log.debug('the queue board cannot be shown', errorFields(error))
    return reply
      .code(statusCode >= 500 ? 503 : statusCode)
      .send({ error: statusCode >= 500 ? 'the queue does not answer' : 'not understood' })
  })
  addDoor(server, door, options.log)
  addBoard(server, options.board)
  return server
}

const isOwnName = (hostname: string): boolean => /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(hostname)

const sessionOf = ({ headers }: FastifyRequest): string | undefined =>
  headers.cookie
    ?.split(';')
    .map((pair) => pair.trim().split('='))
    .find(([name]) => name === COOKIE)?.[1]

const cookie = (session: string, more: string): string =>
  `${COOKIE}=${session}; Path=/; HttpOnly; SameSite=Strict${more}`

function addDoor(server: FastifyInstance, door: BoardDoor, log: Logger): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  )
  const html = (reply: FastifyReply, page: string) => reply.type('text/html; charset=utf-8').send(page)
  server.get('/login', (_request, reply) => html(reply, writeLoginPage()))
  server.post('/login', async (request, reply) => {
    // A form of another page must not sign anybody in here.
    const { origin, 'sec-fetch-site': site = 'same-origin' } = request.headers
    const isOwn = origin === undefined || origin === `http://${request.headers.host}`
    if (!isOwn || site !== 'same-origin') return reply.code(403).send({ error: 'not from here' })
    const token = request.body instanceof URLSearchParams ? (request.body.get('token') ?? '') : ''
    const knock = await door.knock(token)
    if (knock.kind === 'open') {
      log.info('somebody signed in at the queue board')
      return reply.header('set-cookie', cookie(knock.session, '')).redirect('/', 303)
    }
    if (knock.kind === 'wait') reply.header('retry-after', knock.seconds)
    else log.warn('a wrong token was given at the queue board')
    reply.code(knock.kind === 'wait' ? 429 : 401)
    return html(reply, writeLoginPage(knock.kind === 'wait' ? knock.seconds : 'wrong'))
  })
  server.get('/logout', (request, reply) => {
    door.leave(sessionOf(request))
    return reply.header('set-cookie', cookie('', '; Max-Age=0')).redirect('/login', 303)
  })
}

function addBoard(server: FastifyInstance, open: BoardOptions['board']): void {
  // Its routes are known only when the queues are open, so they are looked up for each question.
  server.get('/*', async (request, reply) => {
    const board = await open()
    if (board === undefined) return reply.code(503).type('text/plain').send('the queues are not open yet\n')
    const [path = '/'] = request.url.split('?')
    const file = board.files.get(path.slice(1))
    if (file) return reply.type(TYPES[extname(path)] ?? 'text/plain; charset=utf-8').send(file)
    if (board.pageRoutes.some((route) => matches(route, path)))
      return reply.type('text/html; charset=utf-8').send(board.page)
    for (const { route, answer } of board.calls) {
      const params = matches(route, path)
      if (!params) continue
      const { status, body } = await answer({ params, query: request.query as Record<string, unknown> })
      return reply.code(status).send(body)
    }
    return reply.code(404).send({ error: 'nothing here' })
  })
}

/** The values of the named parts of a route; undefined when the path is another one. */
function matches(route: string, path: string): Readonly<Record<string, string>> | undefined {
  const [names, words] = [route.split('/'), path.split('/')]
  if (names.length !== words.length) return undefined
  const params: Record<string, string> = {}
  for (const [at, name] of names.entries()) {
    const word = words[at] ?? ''
    if (name.startsWith(':')) params[name.slice(1)] = decoded(word)
    else if (name !== word) return undefined
  }
  return params
}

function decoded(word: string): string {
  try {
    return decodeURIComponent(word)
  } catch {
    return ''
  }
}
