// objectGUID and invocationId: 16 bytes in the directory, dashed text everywhere else (MS-DTYP §2.3.4).

// The first three fields are little-endian in the bytes, the rest is in order.
const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const

/** The dashed lower-case text of 16 bytes; `undefined` for any other length. */
export function guidText(bytes: Uint8Array): string | undefined {
  if (bytes.length !== 16) return undefined
  const hex = ORDER.map((at) => (bytes[at] ?? 0).toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** The 16 bytes of a GUID in dashed text, as the directory stores them. */
export function guidBytes(text: string): Buffer {
  const inOrder = Buffer.from(text.replaceAll('-', ''), 'hex')
  // The order is its own inverse.
  return Buffer.from(ORDER.map((at) => inOrder[at] ?? 0))
}
