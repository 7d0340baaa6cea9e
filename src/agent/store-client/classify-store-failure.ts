// What a failed call to the store means: one table for the network, one for HTTP statuses.
import type { ErrorCode } from '../../errors/error-codes.ts'
import { WritebackError } from '../../errors/writeback-error.ts'

// Certificate faults as OpenSSL and Node.js name them.
const TLS_CODES = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/
// Trouble that passes, whoever answered: the store, or something in between.
const PASSING_STATUSES = new Set([404, 408, 421, 423, 425, 429])

/** Names a failure below HTTP. Every one of them may pass. */
export function classifyNetworkFailure(what: string, cause: unknown): WritebackError {
  if (cause instanceof WritebackError) return cause
  const code = innermostCode(cause)
  const name: ErrorCode = isTimeout(cause, code)
    ? 'ERR_STORE_TIMEOUT'
    : TLS_CODES.test(code)
      ? 'ERR_STORE_TLS'
      : 'ERR_STORE_UNREACHABLE'
  return new WritebackError(name, `${what}: ${MESSAGES[name]}`, { retry: 'later', cause })
}

const MESSAGES: Readonly<Record<string, string>> = {
  ERR_STORE_TIMEOUT: 'the store did not answer in time',
  ERR_STORE_TLS: 'the certificate of the store is not accepted, or the store does not accept ours',
  ERR_STORE_UNREACHABLE: 'the store cannot be reached',
}

/**
 * Names a status other than success. Server faults and statuses of passing trouble may be tried again; a refusal may
 * not. 404 counts as passing: a store being set up, or something in between, answers so, and nothing is lost by waiting.
 */
export function classifyStatus(
  what: string,
  status: number,
  problem: { readonly code: string; readonly detail?: string | undefined } | undefined,
): WritebackError {
  const said = problem
    ? `${status} ${problem.code}${problem.detail ? ` (${problem.detail})` : ''}`
    : String(status)
  if (status >= 500 || PASSING_STATUSES.has(status))
    return new WritebackError('ERR_STORE_UNAVAILABLE', `${what}: the store answered ${said}`, {
      retry: 'later',
    })
  if (status < 400)
    return new WritebackError(
      'ERR_STORE_ANSWER_INVALID',
      `${what}: the store answered ${said}, which the contract does not give; a redirect is never followed`,
      { retry: 'later' },
    )
  return new WritebackError('ERR_STORE_REJECTED', `${what}: the store answered ${said}`)
}

// Read by its fields: what fetch throws is not always an Error of this realm.
interface Fault {
  readonly name?: unknown
  readonly code?: unknown
  readonly cause?: unknown
}

function innermostCode(error: unknown): string {
  let code = ''
  for (let at = error as Fault | undefined | null; typeof at === 'object' && at; at = at.cause as Fault)
    if (typeof at.code === 'string') code = at.code
  return code
}

const isTimeout = (cause: unknown, code: string): boolean =>
  (cause as Fault | undefined | null)?.name === 'TimeoutError' || /TIMEOUT|ETIMEDOUT/.test(code)
