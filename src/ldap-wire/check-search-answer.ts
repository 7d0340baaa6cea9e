// Looks through one message before another reader gets it: every element must end inside of its parent. A reader that
// trusts a length may otherwise wait, or turn in a circle, for ever.
import { expectElement, integerOf, readElement, readElements } from './ber-read.ts'
import { BER } from './ber-write.ts'
import { decodeResponse } from './decode-response.ts'
import { malformed } from './malformed.ts'

const SEARCH_ENTRY = 0x64
const SEARCH_REFERENCE = 0x73

/**
 * Checks a whole message that a server sent on a connection for reads: results, entries, and the references that a search
 * of a whole domain brings (RFC 4511 §4.5.3). Throws ERR_LDAP_MALFORMED.
 */
export function checkSearchAnswer(message: Buffer): void {
  const envelope = expectElement(message, 0, message.length, BER.sequence)
  const id = expectElement(message, envelope.start, envelope.end, BER.integer)
  const operation = readElement(message, id.end, envelope.end)
  const isPlain = operation.tag === SEARCH_REFERENCE || operation.tag === SEARCH_ENTRY
  if (!isPlain) return void decodeResponse(message)
  if (envelope.end !== message.length) throw malformed('bytes follow the message')
  integerOf(message, id)
  readElements(message, operation.end, envelope.end)
  // Not decoded: that is the work of the reader that gets it.
  if (operation.tag === SEARCH_ENTRY) checkValues(message, operation.start, operation.end)
  else requireTexts(message, operation.start, operation.end)
}

function checkValues(message: Buffer, start: number, end: number): void {
  const dn = expectElement(message, start, end, BER.octetString)
  const list = expectElement(message, dn.end, end, BER.sequence)
  for (const item of readElements(message, list.start, list.end)) {
    if (item.tag !== BER.sequence) throw malformed('an attribute is not a sequence')
    const name = expectElement(message, item.start, item.end, BER.octetString)
    const values = expectElement(message, name.end, item.end, BER.set)
    requireTexts(message, values.start, values.end)
  }
}

function requireTexts(message: Buffer, start: number, end: number): void {
  for (const { tag } of readElements(message, start, end))
    if (tag !== BER.octetString) throw malformed('an element has the wrong type')
}
