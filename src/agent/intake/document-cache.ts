// Verified documents on their way from intake to writeback, so that none is verified twice in one process.
import { type RequestDocument, verifyRequest } from '../../protocol/request-document.ts'
import type { FindKey } from '../../protocol/signed-message.ts'

/** Documents by request id; holds sealed values only, and only the newest few. */
export interface DocumentCache {
  readonly put: (document: RequestDocument) => void
  /** The document, if it is at hand. */
  readonly peek: (requestId: string) => RequestDocument | undefined
  /** The document of a journaled request; verified again when it is not at hand. */
  readonly read: (open: { readonly requestId: string; readonly document: string }) => Promise<RequestDocument>
}

const MOST = 512

/** Makes an empty cache. */
export function createDocumentCache(findKey: FindKey): DocumentCache {
  const known = new Map<string, RequestDocument>()
  const put = (document: RequestDocument) => {
    known.set(document.id, document)
    if (known.size > MOST) known.delete(known.keys().next().value ?? '')
  }
  return {
    put,
    peek: (requestId) => known.get(requestId),
    read: async (open) => {
      const cached = known.get(open.requestId)
      if (cached) return cached
      const verified = await verifyRequest(open.document, findKey)
      put(verified)
      return verified
    },
  }
}
