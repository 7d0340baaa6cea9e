// Answers of a directory as values. Only the answers the write path can get; all else is malformed.
import { type BerElement, expectElement, integerOf, readElement, readElements, textOf } from './ber-read.ts'
import { BER } from './ber-write.ts'
import { malformed } from './malformed.ts'

/** A control that came with an answer (RFC 4511 §4.1.11). */
interface ResponseControl {
  readonly oid: string
  readonly critical: boolean
  readonly value: Buffer | undefined
}

/** The result of an operation (RFC 4511 §4.1.9). Texts are the directory's own, for people only. */
export interface LdapResult {
  readonly kind: 'bind' | 'modify' | 'search_done' | 'extended'
  readonly messageId: number
  readonly code: number
  readonly matchedDn: string
  readonly diagnostic: string
  /** Never followed. */
  readonly referrals: readonly string[]
  /** The name of an extended answer (RFC 4511 §4.12). */
  readonly responseName: string | undefined
  readonly controls: readonly ResponseControl[]
}

/** One entry of a search (RFC 4511 §4.5.2). Attribute names in lower case; values are views into the message. */
export interface LdapEntry {
  readonly kind: 'search_entry'
  readonly messageId: number
  readonly dn: string
  readonly attributes: ReadonlyMap<string, readonly Buffer[]>
}

/** Any answer the write path understands. */
export type LdapResponse = LdapResult | LdapEntry

/** The name of the notice of disconnection, sent with message id 0 (RFC 4511 §4.4.1). */
export const NOTICE_OF_DISCONNECTION = '1.3.6.1.4.1.1466.20036'

const RESULTS: Readonly<Record<number, LdapResult['kind']>> = {
  97: 'bind',
  101: 'search_done',
  103: 'modify',
  120: 'extended',
}
const SEARCH_ENTRY = 100

/** Decodes one message, as the splitter cuts them. Throws ERR_LDAP_MALFORMED and nothing else. */
export function decodeResponse(bytes: Buffer): LdapResponse {
  const envelope = expectElement(bytes, 0, bytes.length, BER.sequence)
  if (envelope.end !== bytes.length) throw malformed('bytes follow the message')
  const id = expectElement(bytes, envelope.start, envelope.end, BER.integer)
  const operation = readElement(bytes, id.end, envelope.end)
  // Components with unknown tags at the end are ignored (RFC 4511 §4), but they must be well formed.
  const after = readElements(bytes, operation.end, envelope.end)
  const messageId = integerOf(bytes, id)
  if (operation.tag === SEARCH_ENTRY) return decodeEntry(bytes, messageId, operation)
  const kind = RESULTS[operation.tag]
  if (kind === undefined) throw malformed('an answer of an unknown kind')
  const controls = after.find((element) => element.tag === 0xa0)
  return {
    kind,
    messageId,
    ...decodeResult(bytes, operation),
    controls:
      controls === undefined
        ? []
        : readElements(bytes, controls.start, controls.end).map((at) => decodeControl(bytes, at)),
  }
}

function decodeResult(bytes: Buffer, operation: BerElement) {
  const code = expectElement(bytes, operation.start, operation.end, BER.enumerated)
  const matchedDn = expectElement(bytes, code.end, operation.end, BER.octetString)
  const diagnostic = expectElement(bytes, matchedDn.end, operation.end, BER.octetString)
  const rest = readElements(bytes, diagnostic.end, operation.end)
  const referral = rest.find((element) => element.tag === 0xa3)
  const name = operation.tag === 120 ? rest.find((element) => element.tag === 0x8a) : undefined
  return {
    code: integerOf(bytes, code),
    matchedDn: textOf(bytes, matchedDn),
    diagnostic: textOf(bytes, diagnostic),
    referrals:
      referral === undefined
        ? []
        : readElements(bytes, referral.start, referral.end).map((at) => textOf(bytes, at)),
    responseName: name === undefined ? undefined : textOf(bytes, name),
  }
}

function decodeControl(bytes: Buffer, control: BerElement): ResponseControl {
  if (control.tag !== BER.sequence) throw malformed('a control is not a sequence')
  const oid = expectElement(bytes, control.start, control.end, BER.octetString)
  const rest = readElements(bytes, oid.end, control.end)
  const critical = rest.find((element) => element.tag === BER.boolean)
  const value = rest.find((element) => element.tag === BER.octetString)
  return {
    oid: textOf(bytes, oid),
    critical: critical !== undefined && bytes[critical.start] !== 0 && critical.end > critical.start,
    value: value === undefined ? undefined : bytes.subarray(value.start, value.end),
  }
}

/** Decodes an entry by itself, as a control holds one (RFC 4527 §3.2). Throws ERR_LDAP_MALFORMED. */
export function decodeEntryBytes(bytes: Buffer): LdapEntry {
  const operation = expectElement(bytes, 0, bytes.length, SEARCH_ENTRY)
  return decodeEntry(bytes, 0, operation)
}

function decodeEntry(bytes: Buffer, messageId: number, operation: BerElement): LdapEntry {
  const dn = expectElement(bytes, operation.start, operation.end, BER.octetString)
  const list = expectElement(bytes, dn.end, operation.end, BER.sequence)
  const attributes = new Map<string, readonly Buffer[]>()
  for (const item of readElements(bytes, list.start, list.end)) {
    if (item.tag !== BER.sequence) throw malformed('an attribute is not a sequence')
    const name = expectElement(bytes, item.start, item.end, BER.octetString)
    const set = expectElement(bytes, name.end, item.end, BER.set)
    const values = readElements(bytes, set.start, set.end)
    attributes.set(
      textOf(bytes, name).toLowerCase(),
      values.map((value) => bytes.subarray(value.start, value.end)),
    )
  }
  return { kind: 'search_entry', messageId, dn: textOf(bytes, dn), attributes }
}
