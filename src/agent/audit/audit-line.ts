// One line of the record: JSON whose last member is the SHA-256 of every byte before it, and which names the hash of the line
// before. So a line proves itself, and its place.
import { createHash } from 'node:crypto'

/** The hash before the first line. */
export const NO_HASH = '0'.repeat(64)

/** What every line holds beside what it tells. */
export interface ChainFields {
  /** Counts the lines of the record from 1, over all files. */
  readonly sequence: number
  readonly time: string
  readonly kind: string
  /** The journal's number of what is told; of a checkpoint, that of the last one before it. */
  readonly entry: number
}

/** A line that proves itself. */
export interface AuditLine extends ChainFields {
  readonly previous: string
  readonly hash: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** The text of a line that its hash and, of a checkpoint, its signature cover. */
export function chainText(
  chain: ChainFields,
  fields: Readonly<Record<string, unknown>>,
  previous: string,
): string {
  const { sequence, time, kind, entry } = chain
  return JSON.stringify({ sequence, time, kind, entry, ...fields, previous }).slice(0, -1)
}

/** The text of the line that tells an entry of the journal. */
export function entryText(sequence: number, entry: number, record: string, previous: string): string {
  const { kind, time, ...fields } = JSON.parse(record)
  return chainText({ sequence, time: String(time), kind: String(kind), entry }, fields, previous)
}

/** SHA-256 in hex. */
export const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** Closes a line with its hash. */
export function closeLine(text: string): { readonly line: string; readonly hash: string } {
  const hash = sha256(text)
  return { line: `${text},"hash":"${hash}"}\n`, hash }
}

const TAIL = /^,"hash":"([0-9a-f]{64})"\}$/
const TAIL_LENGTH = ',"hash":""}'.length + 64

/** Reads a line without its line feed; undefined when it does not prove itself. */
export function readLine(bytes: Buffer): AuditLine | undefined {
  const end = bytes.length - TAIL_LENGTH
  const hash = TAIL.exec(bytes.toString('latin1', Math.max(0, end)))?.[1]
  if (hash === undefined || end < 0 || sha256(bytes.subarray(0, end)) !== hash) return undefined
  try {
    const parsed = JSON.parse(bytes.toString('utf8'))
    // A member that stands there twice is read once: what is read must be all that is there.
    if (!bytes.equals(Buffer.from(JSON.stringify(parsed)))) return undefined
    const { hash: _, ...fields } = parsed
    const { sequence, time, kind, entry, previous } = fields
    const isSound = Number.isSafeInteger(sequence) && Number.isSafeInteger(entry) && typeof kind === 'string'
    if (!isSound || typeof time !== 'string' || typeof previous !== 'string') return undefined
    return { sequence, time, kind, entry, previous, hash, fields }
  } catch {
    return undefined
  }
}
