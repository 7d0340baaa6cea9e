// Security identifiers: bytes in the directory, S-1-... in text (MS-DTYP §2.4.2).

/** The text of a binary SID; `undefined` when the bytes are not one. */
export function sidText(bytes: Buffer): string | undefined {
  const count = bytes[1]
  if (bytes.length < 8 || bytes[0] !== 1 || count === undefined || bytes.length !== 8 + 4 * count) {
    return undefined
  }
  const parts = [bytes.readUIntBE(2, 6)]
  for (let at = 8; at < bytes.length; at += 4) parts.push(bytes.readUInt32LE(at))
  return `S-1-${parts.join('-')}`
}
