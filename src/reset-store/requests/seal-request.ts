// The sealed password arrives: the request gets its place in the subject's order, is signed once, and may be handed out.
import { createHash } from 'node:crypto'
import type { z } from 'zod'
import { type RequestDocument, requestDocumentSchema, signRequest } from '../../protocol/request-document.ts'
import { readSealedFor, type Sealed } from '../../protocol/sealed-password.ts'
import type { sealAnswerSchema } from '../../protocol/sealer-calls.ts'
import { parseDocument } from '../../protocol/signed-message.ts'
import type { RequestRecord, Sealing, Transaction } from '../database/repository.ts'
import { CallRefused } from './call-refused.ts'
import { directoryKey } from './changes.ts'
import { inTime } from './close-overdue.ts'
import { nextNumber, type StoreContext } from './store-context.ts'
import { stateOf } from './verdict.ts'

type SealAnswer = z.infer<typeof sealAnswerSchema>

/**
 * Seals a request, once: the same value again gets an answer, too. Throws CallRefused: `request_not_found` (also for
 * another caller than the one who began it), `already_sealed`, `request_closed`, `sealed_invalid`.
 */
export async function sealRequest(
  context: StoreContext,
  creator: string,
  id: string,
  sealed: Sealed,
): Promise<SealAnswer> {
  const digest = createHash('sha256').update(JSON.stringify(sealed)).digest('base64url')
  for (;;) {
    const before = await inTime(context, (records, now) =>
      check(records, now, { id, creator, sealed, digest }),
    )
    if ('answer' in before) return before.answer
    // Signed outside of the transaction, which waits for nothing else; so the order is looked at again inside.
    const document = documentOf(before.request, sealed, before.sequence, before.now, context)
    const jws = await signRequest(document, context.signer)
    const sealing: Sealing = {
      ...{ digest, at: before.now, sequence: before.sequence, document: jws },
      keys: sealed.recipients.map(({ header }) => header.kid),
    }
    const answer = await inTime(context, async (records, now) => {
      const again = await check(records, now, { id, creator, sealed, digest })
      if ('answer' in again) return again.answer
      const { directory, anchor } = again.request
      if ((await records.lastSequence(directory, anchor)) >= sealing.sequence) return undefined
      await records.sealRequest(again.request, sealing)
      return { request: id, state: 'waiting' } as const
    })
    if (!answer) continue
    context.changes.announce(directoryKey(before.request.directory))
    return answer
  }
}

type Checked =
  | { readonly answer: SealAnswer }
  | { readonly request: RequestRecord; readonly sequence: number; readonly now: number }

async function check(
  records: Transaction,
  now: number,
  call: { id: string; creator: string; sealed: Sealed; digest: string },
): Promise<Checked> {
  const request = await records.findRequest(call.id)
  if (!request || request.creator !== call.creator) throw new CallRefused('request_not_found')
  if (request.sealing) {
    if (request.sealing.digest !== call.digest) throw new CallRefused('already_sealed')
    const state = stateOf(request, now)
    return { answer: { request: call.id, state: state === 'unsealed' ? 'waiting' : state } }
  }
  if (request.state === 'closed') throw new CallRefused('request_closed')
  requireFitting(request, call.sealed)
  const previous = await records.lastSequence(request.directory, request.anchor)
  return { request, sequence: nextNumber(previous, now), now }
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

function documentOf(
  request: RequestRecord,
  sealed: Sealed,
  sequence: number,
  issuedAt: number,
  context: StoreContext,
): RequestDocument {
  const { id, directory, anchor, displayName, operation, options, expiresAt, actor } = request
  const document = {
    ...{ id, store: context.store, tenant: context.tenant, directory, operation, issuedAt, expiresAt, actor },
    ...{ subject: { anchor, objectGuid: null, displayName }, sequence, options, sealed },
  }
  return parseDocument('request document', document, requestDocumentSchema)
}
