// The requests of the write path as bytes: bind, modify, unbind, and the base search that says which server answers.
// Every function gives one frame that holds the only copy made here; whoever sends a password wipes it afterwards.
import { BER, type BerPart, boolean, constructed, encodeFrame, integer, octets, text } from './ber-write.ts'

/** A control sent with a request (RFC 4511 §4.1.11). */
export interface RequestControl {
  readonly oid: string
  readonly critical: boolean
  readonly value?: Uint8Array
}

/** One change of a modify (RFC 4511 §4.6). `replace` without values removes the attribute. */
export interface Change {
  readonly operation: 'add' | 'delete' | 'replace'
  readonly attribute: string
  readonly values: readonly Uint8Array[]
}

const OPERATIONS = { add: 0, delete: 1, replace: 2 } as const

/** A simple bind (RFC 4511 §4.2), version 3. The password is written straight into the frame. */
export function encodeBind(bind: {
  messageId: number
  name: string
  password: Uint8Array
  controls?: readonly RequestControl[]
}): Buffer {
  const version = integer(BER.integer, 3)
  const simple = octets(0x80, bind.password)
  const operation = constructed(0x60, [version, text(BER.octetString, bind.name), simple])
  return message(bind.messageId, operation, bind.controls)
}

/** A modify (RFC 4511 §4.6): all changes are applied in order, or none. */
export function encodeModify(modify: {
  messageId: number
  dn: string
  changes: readonly Change[]
  controls?: readonly RequestControl[]
}): Buffer {
  const changes = constructed(BER.sequence, modify.changes.map(changePart))
  const operation = constructed(0x66, [text(BER.octetString, modify.dn), changes])
  return message(modify.messageId, operation, modify.controls)
}

/** A search of one entry, whatever its class, for some attributes (RFC 4511 §4.5.1). */
export function encodeBaseSearch(search: {
  messageId: number
  dn: string
  attributes: readonly string[]
}): Buffer {
  const operation = constructed(0x63, [
    text(BER.octetString, search.dn),
    integer(BER.enumerated, 0),
    integer(BER.enumerated, 0),
    integer(BER.integer, 0),
    integer(BER.integer, 0),
    boolean(false),
    text(0x87, 'objectClass'),
    constructed(
      BER.sequence,
      search.attributes.map((name) => text(BER.octetString, name)),
    ),
  ])
  return message(search.messageId, operation)
}

/** The good-bye (RFC 4511 §4.3). It has no answer. */
export function encodeUnbind(messageId: number): Buffer {
  return message(messageId, octets(0x42, Buffer.alloc(0)))
}

function message(id: number, operation: BerPart, controls: readonly RequestControl[] = []): Buffer {
  const parts = [integer(BER.integer, id), operation]
  if (controls.length > 0) parts.push(constructed(0xa0, controls.map(controlPart)))
  return encodeFrame(constructed(BER.sequence, parts))
}

function changePart(change: Change): BerPart {
  const values = change.values.map((value) => octets(BER.octetString, value))
  const attribute = constructed(BER.sequence, [
    text(BER.octetString, change.attribute),
    constructed(BER.set, values),
  ])
  return constructed(BER.sequence, [integer(BER.enumerated, OPERATIONS[change.operation]), attribute])
}

function controlPart(control: RequestControl): BerPart {
  const parts = [text(BER.octetString, control.oid)]
  // A default value is left out (RFC 4511 §5.1 asks nothing else of FALSE, and servers agree on absence).
  if (control.critical) parts.push(boolean(true))
  if (control.value !== undefined) parts.push(octets(BER.octetString, control.value))
  return constructed(BER.sequence, parts)
}
