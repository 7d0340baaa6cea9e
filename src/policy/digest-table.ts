// Many digests in little memory: the first 16 bytes of each, sorted. A password that is not listed matches one of a
// million entries by chance once in 2^108.

const WORDS = 4

/** Bytes of a digest that are kept; a longer one may be given. */
export const DIGEST_BYTES = WORDS * 4

/** A set of digests, complete. */
export interface DigestTable {
  /** The number of different digests. */
  readonly size: number
  readonly has: (digest: Uint8Array) => boolean
}

/** Digests being gathered. */
export interface DigestCollector {
  readonly add: (digest: Uint8Array) => void
  /** Sorts what was added. Nothing is added afterwards. */
  readonly toTable: () => DigestTable
}

/** An empty collection. */
export function createDigestCollector(): DigestCollector {
  let rows = new Uint32Array(64 * WORDS)
  let count = 0
  return {
    add(digest) {
      if ((count + 1) * WORDS > rows.length) {
        const wider = new Uint32Array(rows.length * 2)
        wider.set(rows)
        rows = wider
      }
      for (let word = 0; word < WORDS; word += 1) rows[count * WORDS + word] = wordAt(digest, word)
      count += 1
    },
    toTable: () => createTable(sortRows(rows, count)),
  }
}

function createTable(rows: Uint32Array): DigestTable {
  const size = rows.length / WORDS
  return {
    size,
    has(digest) {
      let low = 0
      let high = size
      while (low < high) {
        const middle = (low + high) >>> 1
        const order = compareWithRow(digest, rows, middle)
        if (order === 0) return true
        if (order < 0) high = middle
        else low = middle + 1
      }
      return false
    },
  }
}

/** The rows in order, each once. */
function sortRows(rows: Uint32Array, count: number): Uint32Array {
  const order = new Uint32Array(count)
  for (let row = 0; row < count; row += 1) order[row] = row
  order.sort((a, b) => compareRows(rows, a, b))
  const sorted = new Uint32Array(count * WORDS)
  let kept = 0
  for (const [at, row] of order.entries()) {
    if (at > 0 && compareRows(rows, row, order[at - 1] ?? 0) === 0) continue
    sorted.set(rows.subarray(row * WORDS, (row + 1) * WORDS), kept * WORDS)
    kept += 1
  }
  return sorted.slice(0, kept * WORDS)
}

function compareRows(rows: Uint32Array, a: number, b: number): number {
  for (let word = 0; word < WORDS; word += 1) {
    const difference = (rows[a * WORDS + word] ?? 0) - (rows[b * WORDS + word] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

function compareWithRow(digest: Uint8Array, rows: Uint32Array, row: number): number {
  for (let word = 0; word < WORDS; word += 1) {
    const difference = wordAt(digest, word) - (rows[row * WORDS + word] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Big-endian, so that words order as the bytes do. */
function wordAt(digest: Uint8Array, word: number): number {
  const at = word * 4
  const [a = 0, b = 0, c = 0, d = 0] = [digest[at], digest[at + 1], digest[at + 2], digest[at + 3]]
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}
