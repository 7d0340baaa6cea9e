// Serves the table of calls: admits the caller by the exact bytes, reads the body strictly, and sends the answer.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Endpoint, EndpointName } from '../../protocol/endpoints.ts'
import { ENDPOINTS } from '../../protocol/endpoints.ts'
import { parseDocument } from '../../protocol/signed-message.ts'
import { parseStrictJson } from '../../protocol/strict-json.ts'
import { CallRefused } from '../requests/call-refused.ts'
import type { VerifyAdministrator } from '../verification/administrators.ts'
import type { AgentGate } from '../verification/agent-gate.ts'
import type { Call, Calls } from './calls.ts'

/** Who decides about callers, and what is served to them. */
export interface Served {
  readonly calls: Calls
  readonly gate: AgentGate
  readonly verifyAdministrator: VerifyAdministrator
}

const NO_BODY = Buffer.alloc(0)

/** Adds a route for every call of the contract. */
export function serveCalls(server: FastifyInstance, served: Served): void {
  for (const [name, endpoint] of Object.entries(ENDPOINTS) as [EndpointName, Endpoint][])
    server.route({
      method: endpoint.method,
      url: endpoint.path.replace(/\{(\w+)\}/g, ':$1'),
      handler: (request, reply) => answer(name, endpoint, served, request, reply),
    })
}

type AnyCall = (call: Call<EndpointName>) => Promise<unknown>

async function answer(
  name: EndpointName,
  endpoint: Endpoint,
  served: Served,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const bytes = Buffer.isBuffer(request.body) ? request.body : NO_BODY
  const { caller, remembered } = await admit(endpoint, served, request, bytes)
  const body = endpoint.body ? parseDocument('body', parseStrictJson(bytes), endpoint.body) : undefined
  if (!endpoint.body && bytes.length > 0) throw new CallRefused('body_invalid', 'this call has no body')
  const call = {
    ...{ body, caller, parameter: parameterOf(request), query: queryOf(endpoint, request) },
    ...{ address: request.ip, signal: whileConnected(reply) },
  }
  const value = await (served.calls[name] as AnyCall)(call as Call<EndpointName>)
  await remembered
  if (endpoint.status === 204) return reply.code(204).send()
  return reply.code(endpoint.status).header('content-type', 'application/json').send(JSON.stringify(value))
}

async function admit(
  endpoint: Endpoint,
  served: Served,
  request: FastifyRequest,
  body: Uint8Array,
): Promise<{ readonly caller: string | undefined; readonly remembered?: Promise<void> }> {
  if (endpoint.caller === 'anyone' || endpoint.caller === 'new agent') return { caller: undefined }
  const [, token] = /^Bearer ([\w.~+/-]+=*)$/i.exec(request.headers.authorization ?? '') ?? []
  if (token === undefined) throw new CallRefused('credential_missing')
  if (endpoint.caller === 'administrator') return { caller: served.verifyAdministrator(token) }
  const call = { method: request.method, path: request.url, body }
  const { agent, remembered } = await served.gate.admit(token, call)
  return { caller: agent, remembered }
}

// No path of the contract has two parameters.
const parameterOf = (request: FastifyRequest): string =>
  Object.values(request.params as Readonly<Record<string, string>>)[0] ?? ''

function queryOf(endpoint: Endpoint, request: FastifyRequest): Readonly<Record<string, unknown>> {
  const given = Object.entries(request.query as Readonly<Record<string, unknown>>)
  return Object.fromEntries(given.map(([name, value]) => [name, readParameter(endpoint, name, value)]))
}

function readParameter(endpoint: Endpoint, name: string, value: unknown): unknown {
  const schema = endpoint.query && Object.hasOwn(endpoint.query, name) ? endpoint.query[name] : undefined
  if (!schema) throw new CallRefused('call_invalid', 'the query holds a name that is not known')
  // Given twice, a parameter is a list, and empty it is nothing.
  const read = typeof value === 'string' && value !== '' ? schema.safeParse(value) : undefined
  if (!read?.success) throw new CallRefused('call_invalid', `${name}: ${schema.description}`)
  return read.data
}

// A reason made once: without one, every end of every call would build an exception with its stack.
const GONE = 'the caller is gone'

function whileConnected(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort(GONE))
  return gone.signal
}
