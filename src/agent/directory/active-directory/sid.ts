// Security identifiers: bytes in the directory, S-1-... in text (MS-DTYP §2.4.2).

/** The text of a binary SID; `undefined` when the bytes are not one. */
export function sidText(bytes: Buffer): string | undefined {
  return bytes.length === lengthAt(bytes, 0) ? sidTextAt(bytes, 0) : undefined
}

/** The text of the SID that begins at `at`, whatever follows it; `undefined` when none does. */
export function sidTextAt(bytes: Buffer, at: number): string | undefined {
  const length = lengthAt(bytes, at)
  if (length === undefined || at + length > bytes.length) return undefined
  const parts = [bytes.readUIntBE(at + 2, 6)]
  for (let part = at + 8; part < at + length; part += 4) parts.push(bytes.readUInt32LE(part))
  return `S-1-${parts.join('-')}`
}

/** Revision 1, then the count of the parts that follow the authority. */
function lengthAt(bytes: Buffer, at: number): number | undefined {
  const [revision, count] = bytes.subarray(at, at + 2)
  return revision === 1 && count !== undefined ? 8 + 4 * count : undefined
}
