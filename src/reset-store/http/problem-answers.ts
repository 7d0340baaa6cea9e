// Every failure becomes a problem document; what is a defect is logged and never described to the caller.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { WritebackError } from '../../errors/writeback-error.ts'
import { type Problem, problemOf } from '../../protocol/problem.ts'
import { errorFields, type Logger } from '../../telemetry/logger.ts'
import { CallRefused } from '../requests/call-refused.ts'

/** Media type of problem documents (RFC 9457 section 3). */
export const PROBLEM_TYPE = 'application/problem+json'

/** Answers with a problem document. */
export function sendProblem(reply: FastifyReply, problem: Problem): void {
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer')
  // As bytes: to text fastify would add a charset, which this media type does not have.
  const body = Buffer.from(JSON.stringify(problem))
  void reply.code(problem.status).header('content-type', PROBLEM_TYPE).send(body)
}

/** The answer to whatever a call threw, logged when an operator should know. */
export function createErrorAnswer(log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const problem = problemFor(error)
    if (problem.status >= 500 && problem.code !== 'no_agent')
      log.error('call failed', {
        method: request.method,
        route: request.routeOptions.url,
        ...errorFields(error),
      })
    sendProblem(reply, problem)
  }
}

function problemFor(error: unknown): Problem {
  if (error instanceof CallRefused) return problemOf(error.problem, error.detail)
  if (error instanceof WritebackError) return problemOfFailure(error)
  const code = (error as { code?: unknown }).code
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return problemOf('body_too_large')
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return problemOf('media_type_unsupported')
  if (code === 'FST_ERR_BAD_URL' || code === 'FST_ERR_MAX_PARAM_LENGTH') return problemOf('call_invalid')
  const status = (error as { statusCode?: unknown }).statusCode
  return problemOf(typeof status === 'number' && status < 500 ? 'body_invalid' : 'internal')
}

function problemOfFailure(error: WritebackError): Problem {
  if (error.code === 'ERR_JSON_INVALID' || error.code === 'ERR_DOCUMENT_INVALID')
    return problemOf('body_invalid', error.message)
  return problemOf(error.retry === 'later' ? 'unavailable' : 'internal')
}
