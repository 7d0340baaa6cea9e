// What a claimed request is: signed by the store, for this agent, and readable; or why not.
import { WritebackError } from '../../errors/writeback-error.ts'
import type { ClaimedRequest } from '../../protocol/agent-calls.ts'
import { type RequestDocument, verifyRequest } from '../../protocol/request-document.ts'
import type { FindKey } from '../../protocol/signed-message.ts'
import { type Addressee, findMisaddress } from '../decisions/judge-document.ts'

/** A claimed request with its verified document, or the fault that makes it invalid. */
export type Verified =
  | { readonly claimed: ClaimedRequest; readonly document: RequestDocument }
  | { readonly claimed: ClaimedRequest; readonly fault: string }

/** Verifies one claimed request. Never throws for what the store sent; no directory connection is opened for it. */
export async function verifyClaimed(
  claimed: ClaimedRequest,
  addressee: Addressee,
  findKey: FindKey,
): Promise<Verified> {
  try {
    const document = await verifyRequest(claimed.document, findKey)
    const fault = findMisaddress(document, claimed.request, addressee)
    return fault === undefined ? { claimed, document } : { claimed, fault }
  } catch (error) {
    if (error instanceof WritebackError) return { claimed, fault: error.message }
    throw error
  }
}
