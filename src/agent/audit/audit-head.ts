// Where the record ends, in a small signed file beside it: without it, lines cut off at the end would leave no trace.
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type CheckpointSigner, isSignedText, signText } from './checkpoint.ts'

/** The last line that is known to stand in the record. */
export interface AuditHead {
  readonly sequence: number
  readonly hash: string
}

const headSchema = z.strictObject({
  sequence: z.int().min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  signature: z.string(),
})

const textOf = ({ sequence, hash }: AuditHead): string => JSON.stringify({ sequence, hash })
const pathOf = (directory: string): string => join(directory, 'head.json')

/**
 * Replaces the head. Not synced: after a power cut an older one, or none, is there, which still tells the truth about what must be
 * there.
 */
export async function writeHead(
  directory: string,
  { sequence, hash }: AuditHead,
  signer: CheckpointSigner,
): Promise<void> {
  const signature = await signText(textOf({ sequence, hash }), signer)
  const unfinished = `${pathOf(directory)}.new`
  await writeFile(unfinished, `${JSON.stringify({ sequence, hash, signature })}\n`, { mode: 0o600 })
  await rename(unfinished, pathOf(directory))
}

/** The head; `missing` when there is none, `invalid` when it is damaged or not signed by the key of this thumbprint. */
export async function readHead(
  directory: string,
  thumbprint: string,
): Promise<AuditHead | 'missing' | 'invalid'> {
  let text: string
  try {
    text = await readFile(pathOf(directory), 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
    throw cause
  }
  try {
    const { signature, ...head } = headSchema.parse(JSON.parse(text))
    // Every byte counts, also those that JSON does not mind.
    const isExact = text === `${JSON.stringify({ ...head, signature })}\n`
    return isExact && (await isSignedText(textOf(head), signature, thumbprint)) ? head : 'invalid'
  } catch {
    return 'invalid'
  }
}
