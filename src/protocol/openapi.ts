// The contract as an OpenAPI 3.1 document, made from the same schemas that check every message.
import { z } from 'zod'
import { FAILURE_REASONS, NOTICES, OUTCOMES, REFUSAL_REASONS } from './codes.ts'
import { ENDPOINTS, type Endpoint } from './endpoints.ts'
import { outcomeSchema } from './outcome.ts'
import { problemSchema } from './problem.ts'
import { PROBLEMS, type ProblemCode } from './problem-codes.ts'
import { requestDocumentSchema } from './request-document.ts'

type Json = Readonly<Record<string, unknown>>

const json = (schema: z.ZodType): Json => {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'output' })
  return rest
}

/** Builds the document. The same input gives the same bytes. */
export function buildOpenApi(): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const [name, endpoint] of Object.entries(ENDPOINTS) as [string, Endpoint][]) {
    paths[endpoint.path] = {
      ...paths[endpoint.path],
      [endpoint.method.toLowerCase()]: describe(name, endpoint),
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Writeback: contract between reset store and agent',
      version: '1',
      description:
        'Times are integers, milliseconds since 1970-01-01T00:00:00Z. Bodies are strict JSON: unknown fields, duplicate keys, lone surrogates and more than 32 objects and arrays within each other are refused. Errors are problem documents (RFC 9457).',
    },
    paths,
    components: { schemas: sharedSchemas(), securitySchemes },
    'x-codes': {
      outcomes: OUTCOMES,
      refusalReasons: REFUSAL_REASONS,
      failureReasons: FAILURE_REASONS,
      notices: NOTICES,
      problems: PROBLEMS,
    },
  }
}

const securitySchemes = {
  agent: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description:
      'JWT of type wb-agent+jwt for this call only, signed by the identity key: iss, aud, htm, htu, bod (SHA-256 of the body, base64url), jti, iat, exp',
  },
  administrator: { type: 'http', scheme: 'bearer', description: 'token of an administrator of the store' },
}

const sharedSchemas = (): Json => ({
  Problem: json(problemSchema),
  RequestDocument: json(requestDocumentSchema),
  Outcome: json(outcomeSchema),
})

function describe(name: string, endpoint: Endpoint): Json {
  return {
    operationId: name,
    summary: endpoint.summary,
    tags: [endpoint.caller],
    security:
      endpoint.caller === 'agent' || endpoint.caller === 'administrator' ? [{ [endpoint.caller]: [] }] : [],
    parameters: parametersOf(endpoint),
    ...(endpoint.body
      ? { requestBody: { required: true, content: { 'application/json': { schema: json(endpoint.body) } } } }
      : {}),
    responses: { [endpoint.status]: successOf(endpoint), ...problemsOf(endpoint.problems) },
  }
}

function parametersOf(endpoint: Endpoint): Json[] {
  const inPath = [...endpoint.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const inQuery = Object.entries(endpoint.query ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema: json(schema),
  }))
  return [...inPath, ...inQuery]
}

const successOf = (endpoint: Endpoint): Json => ({
  description: endpoint.answer ? 'done' : 'done, no content',
  ...(endpoint.answer ? { content: { 'application/json': { schema: json(endpoint.answer) } } } : {}),
})

function problemsOf(codes: readonly ProblemCode[]): Json {
  const always: readonly ProblemCode[] = ['internal', 'unavailable']
  const withBody: readonly ProblemCode[] = codes.includes('body_invalid')
    ? ['body_too_large', 'media_type_unsupported']
    : []
  const byStatus = Map.groupBy([...codes, ...withBody, ...always], (code) => PROBLEMS[code].status)
  const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [status, { description: list.join(', '), content }]),
  )
}
