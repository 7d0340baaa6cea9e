// Whether an account's own security descriptor keeps its user from changing the password. A small strict reader of the
// self-relative form (MS-DTYP §2.4.6) and its access control list (§2.4.5, §2.4.4): anything odd is "not known".
import { guidText } from './guid.ts'
import { sidTextAt } from './sid.ts'

// Control bits (§2.4.6).
const SELF_RELATIVE = 0x8000
const DACL_PRESENT = 0x0004
// Types of entries (§2.4.4.1); all others say nothing about this right, or are for the audit.
const ALLOWED = 0
const DENIED = 1
const ALLOWED_OBJECT = 5
const DENIED_OBJECT = 6
/** The entry is only handed on to children. */
const INHERIT_ONLY = 0x08
/** ADS_RIGHT_DS_CONTROL_ACCESS (§2.4.3, MS-ADTS §5.1.3.2). */
const CONTROL_ACCESS = 0x100
const OBJECT_TYPE_PRESENT = 1
const INHERITED_OBJECT_TYPE_PRESENT = 2
/** User-Change-Password (MS-ADTS §5.1.3.2.1). */
const CHANGE_PASSWORD = 'ab721a53-1e2f-11d0-9819-00aa0040529b'
/** Everyone, and the account itself. */
const TRUSTEES: ReadonlySet<string> = new Set(['S-1-1-0', 'S-1-5-10'])

/**
 * True when the first entry that speaks of changing the password to the account itself or to everyone denies it; the
 * order of the entries decides, as in the directory. undefined when the bytes are no such descriptor.
 */
export function isChangeDenied(descriptor: Buffer | undefined): boolean | undefined {
  const list = descriptor && findList(descriptor)
  const word = list && firstWord(list)
  return word === 'malformed' ? undefined : word
}

const DESCRIPTOR_BYTES = 20
const LIST_HEADER_BYTES = 8
const EVERYTHING_ALLOWED = Buffer.alloc(LIST_HEADER_BYTES)

/** The bytes of the access control list. */
function findList(descriptor: Buffer): Buffer | undefined {
  if (descriptor.length < DESCRIPTOR_BYTES || descriptor[0] !== 1) return undefined
  const control = descriptor.readUInt16LE(2)
  if ((control & SELF_RELATIVE) === 0 || (control & DACL_PRESENT) === 0) return undefined
  const offset = descriptor.readUInt32LE(16)
  if (offset === 0) return EVERYTHING_ALLOWED
  if (offset < DESCRIPTOR_BYTES || offset + LIST_HEADER_BYTES > descriptor.length) return undefined
  const size = descriptor.readUInt16LE(offset + 2)
  if (size < LIST_HEADER_BYTES || offset + size > descriptor.length) return undefined
  return descriptor.subarray(offset, offset + size)
}

const ENTRY_HEADER_BYTES = 4

/** What the first entry says that speaks of the right, true for denied; all entries must be well formed. */
function firstWord(list: Buffer): boolean | 'malformed' {
  const count = list.readUInt16LE(4)
  let word: boolean | undefined
  let at = LIST_HEADER_BYTES
  for (let entry = 0; entry < count; entry++) {
    if (at + ENTRY_HEADER_BYTES > list.length) return 'malformed'
    const size = list.readUInt16LE(at + 2)
    if (size < ENTRY_HEADER_BYTES || at + size > list.length) return 'malformed'
    const said = wordOf(list.subarray(at, at + size))
    if (said === 'malformed') return said
    word ??= said
    at += size
  }
  return word ?? false
}

function wordOf(entry: Buffer): boolean | 'malformed' | undefined {
  const [type, flags = 0] = entry
  const isObject = type === ALLOWED_OBJECT || type === DENIED_OBJECT
  if ((flags & INHERIT_ONLY) !== 0 || !(isObject || type === ALLOWED || type === DENIED)) return undefined
  const typeAt = isObject ? 12 : 8
  if (entry.length < typeAt) return 'malformed'
  const mask = entry.readUInt32LE(4)
  const present = isObject ? entry.readUInt32LE(8) : 0
  const hasType = (present & OBJECT_TYPE_PRESENT) !== 0
  const hasInherited = (present & INHERITED_OBJECT_TYPE_PRESENT) !== 0
  const sid = sidTextAt(entry, typeAt + (hasType ? 16 : 0) + (hasInherited ? 16 : 0))
  if (sid === undefined) return 'malformed'
  if ((mask & CONTROL_ACCESS) === 0 || !TRUSTEES.has(sid)) return undefined
  if (hasType && guidText(entry.subarray(typeAt, typeAt + 16)) !== CHANGE_PASSWORD) return undefined
  return type === DENIED || type === DENIED_OBJECT
}
