// Reads LDAP messages as the proxy sees them, with ldapts' BER reader: independent of the project's own encoder. Keeps no
// password: values of password attributes and bind credentials never leave this file.
import { BerReader, BerWriter } from 'ldapts'

/** One change of a modify. `values` is undefined for password attributes; `count` always tells how many there are. */
export interface LdapChange {
  readonly kind: 'add' | 'delete' | 'replace' | 'increment'
  readonly attribute: string
  readonly count: number
  readonly values: readonly string[] | undefined
}

/** The kinds of messages that are told apart. */
export type LdapOperation =
  | 'bind'
  | 'unbind'
  | 'search'
  | 'modify'
  | 'add'
  | 'delete'
  | 'modifyDn'
  | 'compare'
  | 'abandon'
  | 'extended'
  | 'bindResponse'
  | 'searchEntry'
  | 'searchDone'
  | 'searchReference'
  | 'modifyResponse'
  | 'addResponse'
  | 'deleteResponse'
  | 'modifyDnResponse'
  | 'compareResponse'
  | 'extendedResponse'
  | 'intermediateResponse'

/** What one message says, without any password. */
export interface LdapSummary {
  readonly messageId: number
  readonly operation: LdapOperation
  /** Name of a bind; entry of a modify, add, delete or search result; base of a search. */
  readonly dn?: string
  readonly changes?: readonly LdapChange[]
  /** OIDs of the controls. */
  readonly controls: readonly string[]
  readonly resultCode?: number
  readonly diagnostic?: string
  /** OID of an extended request or response. */
  readonly oid?: string
}

const OPERATIONS: Readonly<Record<number, LdapOperation>> = {
  96: 'bind',
  66: 'unbind',
  99: 'search',
  102: 'modify',
  104: 'add',
  74: 'delete',
  108: 'modifyDn',
  110: 'compare',
  80: 'abandon',
  119: 'extended',
  97: 'bindResponse',
  100: 'searchEntry',
  101: 'searchDone',
  115: 'searchReference',
  103: 'modifyResponse',
  105: 'addResponse',
  107: 'deleteResponse',
  109: 'modifyDnResponse',
  111: 'compareResponse',
  120: 'extendedResponse',
  121: 'intermediateResponse',
}

const ANSWER_TAGS: Readonly<Partial<Record<LdapOperation, number>>> = {
  bind: 0x61,
  search: 0x65,
  modify: 0x67,
  add: 0x69,
  delete: 0x6b,
  modifyDn: 0x6d,
  compare: 0x6f,
  extended: 0x78,
}

const SECRET_ATTRIBUTES = new Set(['unicodepwd', 'userpassword', 'cleartextpassword'])
const CHANGE_KINDS = ['add', 'delete', 'replace', 'increment'] as const
const SEQUENCE = 0x30
const SET = 0x31
const OCTET_STRING = 0x04
const CONTROLS = 0xa0
const EXTENDED_NAME = 0x80
const EXTENDED_RESPONSE_NAME = 0x8a
const REFERRAL = 0xa3

/** Reads one whole message. Throws on anything that is not LDAP. */
export function readLdapMessage(pdu: Buffer): LdapSummary {
  const message = inside(new BerReader(pdu), SEQUENCE)
  const messageId = message.readInt() ?? -1
  const tag = message.peek() ?? 0
  const operation = OPERATIONS[tag]
  if (!operation) throw new Error(`not an LDAP operation: 0x${tag.toString(16)}`)
  const body = message.readString(tag, true) ?? Buffer.alloc(0)
  return { messageId, operation, ...readBody(operation, body), controls: readControls(message) }
}

function readBody(
  operation: LdapOperation,
  body: Buffer,
): Omit<LdapSummary, 'messageId' | 'operation' | 'controls'> {
  const reader = new BerReader(body)
  switch (operation) {
    case 'bind':
      reader.readInt()
      return { dn: text(reader) }
    case 'delete':
      return { dn: body.toString() }
    case 'search':
    case 'searchEntry':
    case 'modifyDn':
    case 'compare':
    case 'add':
      return { dn: text(reader) }
    case 'modify':
      return { dn: text(reader), changes: readChanges(inside(reader, SEQUENCE)) }
    case 'extended':
      return { oid: text(reader, EXTENDED_NAME) }
    case 'unbind':
    case 'abandon':
    case 'searchReference':
    case 'intermediateResponse':
      return {}
    default:
      return readResult(reader)
  }
}

function readResult(reader: BerReader): Pick<LdapSummary, 'dn' | 'resultCode' | 'diagnostic' | 'oid'> {
  const resultCode = reader.readEnumeration() ?? -1
  const result = { resultCode, dn: text(reader), diagnostic: text(reader) }
  if (reader.peek() === REFERRAL) reader.readString(REFERRAL, true)
  return reader.peek() === EXTENDED_RESPONSE_NAME
    ? { ...result, oid: text(reader, EXTENDED_RESPONSE_NAME) }
    : result
}

function readChanges(reader: BerReader): LdapChange[] {
  const changes: LdapChange[] = []
  while (reader.remain > 0) {
    const change = inside(reader, SEQUENCE)
    const kind = CHANGE_KINDS[change.readEnumeration() ?? -1]
    if (!kind) throw new Error('not a change of a modify')
    const attribute = inside(change, SEQUENCE)
    const name = text(attribute)
    const values = readValues(inside(attribute, SET))
    const secret = SECRET_ATTRIBUTES.has(name.toLowerCase())
    changes.push({
      kind,
      attribute: name,
      count: values.length,
      values: secret ? undefined : values.map(String),
    })
  }
  return changes
}

function readValues(reader: BerReader): Buffer[] {
  const values: Buffer[] = []
  while (reader.remain > 0) values.push(reader.readString(OCTET_STRING, true) ?? Buffer.alloc(0))
  return values
}

function readControls(message: BerReader): string[] {
  const oids: string[] = []
  if (message.peek() !== CONTROLS) return oids
  const controls = inside(message, CONTROLS)
  while (controls.remain > 0) oids.push(text(inside(controls, SEQUENCE)))
  return oids
}

function inside(reader: BerReader, tag: number): BerReader {
  const content = reader.readString(tag, true)
  if (content === null) throw new Error('an LDAP message is shorter than it says')
  return new BerReader(content)
}

const text = (reader: BerReader, tag: number = OCTET_STRING): string =>
  String(reader.readString(tag, true) ?? '')

/** A result as a server would give it, for answers that the real server never gives. */
export interface LdapResult {
  readonly code: number
  readonly diagnostic?: string
  readonly matchedDn?: string
  /** With code 10. */
  readonly referrals?: readonly string[]
}

/** Encodes the final answer to a request. */
export function writeLdapResult(request: LdapSummary, result: LdapResult): Buffer {
  const tag = ANSWER_TAGS[request.operation]
  if (tag === undefined) throw new Error(`${request.operation} has no answer`)
  return writeResult(request.messageId, tag, result)
}

/** Encodes the notice of disconnection (RFC 4511 section 4.4.1), which a server sends before it closes. */
export const writeDisconnectNotice = (result: LdapResult): Buffer =>
  writeResult(0, 0x78, result, '1.3.6.1.4.1.1466.20036')

function writeResult(messageId: number, tag: number, result: LdapResult, responseName?: string): Buffer {
  const writer = new BerWriter()
  writer.startSequence()
  writer.writeInt(messageId)
  writer.startSequence(tag)
  writer.writeEnumeration(result.code)
  writer.writeString(result.matchedDn ?? '')
  writer.writeString(result.diagnostic ?? '')
  if (result.referrals) {
    writer.startSequence(REFERRAL)
    for (const uri of result.referrals) writer.writeString(uri)
    writer.endSequence()
  }
  if (responseName !== undefined) writer.writeString(responseName, EXTENDED_RESPONSE_NAME)
  writer.endSequence()
  writer.endSequence()
  return Buffer.from(writer.buffer)
}

const MAX_PDU_BYTES = 16 * 1024 * 1024

/** Cuts a byte stream into whole messages. Returns a function that takes bytes and gives the messages they complete. */
export function createPduSplitter(): (bytes: Buffer) => Buffer[] {
  let rest: Buffer = Buffer.alloc(0)
  return (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    const pdus: Buffer[] = []
    for (
      let length = pduLength(rest);
      length !== undefined && length <= rest.length;
      length = pduLength(rest)
    ) {
      pdus.push(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
    return pdus
  }
}

/** Length of the message that starts here, header included; undefined while the header is not complete. */
function pduLength(bytes: Buffer): number | undefined {
  const [tag, first] = bytes
  if (tag === undefined || first === undefined) return undefined
  if (tag !== SEQUENCE) throw new Error(`not an LDAP message: 0x${tag.toString(16)}`)
  if (first < 0x80) return 2 + first
  const digits = first & 0x7f
  if (bytes.length < 2 + digits) return undefined
  const length = digits >= 1 && digits <= 4 ? bytes.readUIntBE(2, digits) : Number.POSITIVE_INFINITY
  if (length > MAX_PDU_BYTES) throw new Error('an LDAP message is too long')
  return 2 + digits + length
}
