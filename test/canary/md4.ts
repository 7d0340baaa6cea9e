// MD4 (RFC 1320), of which a domain controller makes its hash of a password; OpenSSL no longer offers it.

const SHIFTS = [
  [3, 7, 11, 19],
  [3, 5, 9, 13],
  [3, 9, 11, 15],
] as const
const CONSTANTS = [0, 0x5a827999, 0x6ed9eba1] as const
const ORDERS = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
  [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
] as const
const MIXES = [
  (x: number, y: number, z: number) => (x & y) | (~x & z),
  (x: number, y: number, z: number) => (x & y) | (x & z) | (y & z),
  (x: number, y: number, z: number) => x ^ y ^ z,
] as const
type State = [number, number, number, number]

/** The digest, 16 bytes. */
export function md4(message: Buffer): Buffer {
  const padded = Buffer.alloc(Math.ceil((message.length + 9) / 64) * 64)
  message.copy(padded)
  padded[message.length] = 0x80
  padded.writeUInt32LE(message.length * 8, padded.length - 8)
  let state: State = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
  for (let at = 0; at < padded.length; at += 64) state = mixBlock(state, padded.subarray(at, at + 64))
  const digest = Buffer.alloc(16)
  for (const [at, word] of state.entries()) digest.writeUInt32LE(word >>> 0, at * 4)
  return digest
}

function mixBlock(before: State, block: Buffer): State {
  let [a, b, c, d] = before
  for (const [round, mix] of MIXES.entries())
    for (const [step, word] of (ORDERS[round] ?? []).entries()) {
      const sum = (a + mix(b, c, d) + block.readUInt32LE(word * 4) + (CONSTANTS[round] ?? 0)) | 0
      const shift = SHIFTS[round]?.[step % 4] ?? 0
      const turned = (sum << shift) | (sum >>> (32 - shift))
      ;[a, b, c, d] = [d, turned, b, c]
    }
  return [(before[0] + a) | 0, (before[1] + b) | 0, (before[2] + c) | 0, (before[3] + d) | 0]
}
