// Whether a verified request document is for this agent at all. Nothing here looks at the directory.
import {
  CLOCK_UNCERTAINTY_MS,
  LARGEST_CLOCK_SKEW_MS,
  SETTLE_AFTER_EXPIRY_MS,
} from '../../protocol/identifiers.ts'
import type { RequestDocument } from '../../protocol/request-document.ts'
import { readSealedFor } from '../../protocol/sealed-password.ts'

/** What this agent was enrolled for, and the keys it can open with. */
export interface Addressee {
  readonly store: string
  readonly tenant: string
  readonly directories: ReadonlySet<string>
  readonly sealingKeyIds: ReadonlySet<string>
}

/** Longest time a request may live, from issue to expiry. A store that asks for more is refused. */
const LONGEST_LIFETIME_MS = 24 * 3_600_000

/**
 * Says why a document is not for this agent, or undefined. `request` is the id under which the store handed it out. The
 * sentence holds no secret. Throws ERR_SEALED_INVALID when the sealed value's header is malformed.
 */
export function findMisaddress(
  document: RequestDocument,
  request: string,
  addressee: Addressee,
): string | undefined {
  if (document.id !== request) return 'the document is for another request id'
  if (document.store !== addressee.store) return 'the document is from another store'
  if (document.tenant !== addressee.tenant) return 'the document is for another tenant'
  if (!addressee.directories.has(document.directory))
    return 'the document is for a directory that this agent does not serve'
  if (document.expiresAt - document.issuedAt > LONGEST_LIFETIME_MS) return 'the document lives too long'
  return 'sealed' in document ? findMissealing(document, addressee) : undefined
}

function findMissealing(
  document: Extract<RequestDocument, { sealed: unknown }>,
  addressee: Addressee,
): string | undefined {
  const sealedFor = readSealedFor(document.sealed)
  const isSame =
    sealedFor.requestId === document.id &&
    sealedFor.operation === document.operation &&
    sealedFor.anchor === document.subject.anchor &&
    sealedFor.directory === document.directory &&
    sealedFor.expiresAt === document.expiresAt
  if (!isSame) return 'the password was sealed for another request'
  const isForUs = document.sealed.recipients.some(({ header }) => addressee.sealingKeyIds.has(header.kid))
  return isForUs ? undefined : 'the password was not sealed to a key of this agent'
}

// A sequence is the store's time in milliseconds or a little more; far ahead of now it is no sequence of this store.
const LARGEST_LEAD_MS = 600_000

/** True for a sequence that no store of a right clock gives out at this time. */
export const isFarAhead = (sequence: number, storeNowMs: number): boolean =>
  sequence > storeNowMs + LARGEST_LEAD_MS

/**
 * Says why the dates of a document cannot be true, or undefined. A password that somebody set meanwhile would look older than a
 * request of the future, and its sequence would shut out all later ones.
 */
export function findImpossibleDate(
  { issuedAt, sequence }: { readonly issuedAt: number; readonly sequence: number },
  storeNowMs: number,
): string | undefined {
  if (issuedAt > storeNowMs + LARGEST_CLOCK_SKEW_MS) return 'the document was issued in the future'
  return isFarAhead(sequence, storeNowMs) ? 'the document has a sequence of the future' : undefined
}

/** True when no write of this request may begin any more; on the safe side of the clocks' uncertainty. */
export const isExpired = (document: { readonly expiresAt: number }, storeNowMs: number): boolean =>
  storeNowMs + CLOCK_UNCERTAINTY_MS >= document.expiresAt

/** True when the time for settling a lost answer is over too. */
export const isBeyondSettling = (document: { readonly expiresAt: number }, storeNowMs: number): boolean =>
  storeNowMs >= document.expiresAt + SETTLE_AFTER_EXPIRY_MS
