// The sealed password arrives: with it the request is complete and is issued.
import { hash } from 'node:crypto'
import type { z } from 'zod'
import { readSealedFor, type Sealed } from '../../protocol/sealed-password.ts'
import type { sealAnswerSchema } from '../../protocol/sealer-calls.ts'
import type { RequestRecord, Transaction } from '../database/repository.ts'
import { CallRefused } from './call-refused.ts'
import { issueRequest, type Look } from './issue-request.ts'
import { OPERATIONS } from './operations.ts'
import type { StoreContext } from './store-context.ts'
import { stateOf } from './verdict.ts'

type SealAnswer = z.infer<typeof sealAnswerSchema>

/**
 * Seals a request, once: the same value again gets an answer, too. Throws CallRefused: `request_not_found` (also for
 * another caller than the one who began it), `already_sealed`, `request_closed`, `sealed_invalid` (also where there is
 * nothing to seal).
 */
export async function sealRequest(
  context: StoreContext,
  creator: string,
  id: string,
  sealed: Sealed,
): Promise<SealAnswer> {
  const digest = hash('sha256', JSON.stringify(sealed), 'base64url')
  const look: Look<SealAnswer> = (records, now) => check(records, now, { id, creator, sealed, digest })
  const answer = await issueRequest(context, look, { value: sealed, digest })
  return answer ?? { request: id, state: 'waiting' }
}

async function check(
  records: Transaction,
  now: number,
  call: { id: string; creator: string; sealed: Sealed; digest: string },
): Promise<{ readonly answer: SealAnswer } | { readonly request: RequestRecord }> {
  const request = await records.findRequest(call.id)
  if (!request || request.creator !== call.creator) throw new CallRefused('request_not_found')
  if (!OPERATIONS[request.operation].isSealed)
    throw new CallRefused('sealed_invalid', 'this request has nothing to seal')
  if (request.issue) {
    if (request.issue.digest !== call.digest) throw new CallRefused('already_sealed')
    const state = stateOf(request, now)
    return { answer: { request: call.id, state: state === 'unsealed' ? 'waiting' : state } }
  }
  if (request.state === 'closed') throw new CallRefused('request_closed')
  requireFitting(request, call.sealed)
  return { request }
}

function requireFitting(request: RequestRecord, sealed: Sealed): void {
  let bound: ReturnType<typeof readSealedFor>
  try {
    bound = readSealedFor(sealed)
  } catch (cause) {
    throw new CallRefused('sealed_invalid', 'the protected header is not of the contract’s form', cause)
  }
  const expected = {
    requestId: request.id,
    operation: request.operation,
    anchor: request.anchor,
    directory: request.directory,
    expiresAt: request.expiresAt,
  }
  for (const field of ['requestId', 'operation', 'anchor', 'directory', 'expiresAt'] as const)
    if (bound[field] !== expected[field])
      throw new CallRefused('sealed_invalid', `the value was sealed for another ${field}`)
  const keys = sealed.recipients.map(({ header }) => header.kid)
  if (new Set(keys).size !== keys.length || !keys.every((kid) => request.offeredKeys.includes(kid)))
    throw new CallRefused(
      'sealed_invalid',
      'the value was sealed to a key that was not offered, or twice to one',
    )
}
