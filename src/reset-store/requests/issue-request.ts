// A request is issued: it gets its place in the subject's order, is signed once, and may be handed out.
import { type RequestDocument, requestDocumentSchema, signRequest } from '../../protocol/request-document.ts'
import type { Sealed } from '../../protocol/sealed-password.ts'
import { parseDocument } from '../../protocol/signed-message.ts'
import type { Issue, RequestRecord, Transaction } from '../database/repository.ts'
import { directoryKey } from './changes.ts'
import { inTime } from './close-overdue.ts'
import { OPERATIONS } from './operations.ts'
import { nextNumber, type StoreContext } from './store-context.ts'

/** The request to issue, or the answer where there is nothing to do. Throws what refuses the call. */
export type Look<T> = (
  records: Transaction,
  now: number,
) => Promise<{ readonly answer: T } | { readonly request: RequestRecord }>

/** The sealed value that a request waits for, with its SHA-256. */
export interface SealedPart {
  readonly value: Sealed
  readonly digest: string
}

interface Standing {
  readonly request: RequestRecord
  readonly sequence: number | null
  readonly objectGuid: string | null
  readonly now: number
}

/**
 * Issues the request that `look` finds, which is asked in every transaction anew. Gives its answer where it has one, and
 * `undefined` when the request was issued now.
 */
export async function issueRequest<T>(
  context: StoreContext,
  look: Look<T>,
  sealed?: SealedPart,
): Promise<T | undefined> {
  const stand = async (records: Transaction, now: number) => {
    const found = await look(records, now)
    return 'answer' in found ? found : standingOf(records, found.request, now)
  }
  for (;;) {
    const before = await inTime(context, stand)
    if ('answer' in before) return before.answer
    // Signed outside of the transaction, which waits for nothing else; so what it says is looked at again inside.
    const issue = await sign(context, before, sealed)
    const done = await inTime(context, async (records, now) => {
      const again = await stand(records, now)
      if ('answer' in again) return again
      const { directory, anchor } = again.request
      const isOvertaken =
        issue.sequence !== null && (await lastSequence(records, directory, anchor, now)) >= issue.sequence
      if (isOvertaken || again.objectGuid !== before.objectGuid) return undefined
      await records.issueRequest(again.request, issue)
      return { answer: undefined }
    })
    if (!done) continue
    context.changes.announce(directoryKey(before.request.directory))
    return done.answer
  }
}

async function standingOf(records: Transaction, request: RequestRecord, now: number): Promise<Standing> {
  const { directory, anchor, operation } = request
  const isOrdered = OPERATIONS[operation].isOrdered
  const sequence = isOrdered ? nextNumber(await lastSequence(records, directory, anchor, now), now) : null
  const user = await records.findUser(directory, anchor)
  return { request, sequence, objectGuid: user?.objectGuid ?? null, now }
}

// Less than the ten minutes from which agents take a sequence for one of the future.
const LARGEST_LEAD_MS = 540_000

/**
 * The sequence that the next one of a subject must exceed. One that was given out while the store's clock stood far ahead does
 * not hold for longer than that clock did, unless something may have been written under such a one.
 */
async function lastSequence(
  records: Transaction,
  directory: string,
  anchor: string,
  now: number,
): Promise<number> {
  const last = await records.lastSequence(directory, anchor)
  if (last <= now + LARGEST_LEAD_MS) return last
  const written = await records.findNewest(directory, anchor)
  const isWritten = (written?.issue?.sequence ?? 0) > now
  return isWritten ? last : (written?.issue?.sequence ?? 0)
}

async function sign(context: StoreContext, standing: Standing, sealed?: SealedPart): Promise<Issue> {
  const { sequence, now } = standing
  return {
    digest: sealed?.digest ?? null,
    at: now,
    sequence,
    document: await signRequest(documentOf(context, standing, sealed), context.signer),
    keys: sealed?.value.recipients.map(({ header }) => header.kid) ?? [],
  }
}

function documentOf(context: StoreContext, standing: Standing, sealed?: SealedPart): RequestDocument {
  const { request, sequence, objectGuid, now: issuedAt } = standing
  const { id, directory, anchor, displayName, operation, options, expiresAt, actor } = request
  const document = {
    ...{ id, store: context.store, tenant: context.tenant, directory, operation, issuedAt, expiresAt, actor },
    ...{ subject: { anchor, objectGuid, displayName }, options },
    ...(sequence === null ? {} : { sequence }),
    ...(sealed ? { sealed: sealed.value } : {}),
  }
  return parseDocument('request document', document, requestDocumentSchema)
}
