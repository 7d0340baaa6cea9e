// Where the record ends, in a small signed file beside it: without it, lines cut off at the end would leave no trace.
import { constants } from 'node:fs'
import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { syncDirectory } from './audit-files.ts'
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
 * Gives what replaces the head, one after the other and never by an older one. It is on the disk when the promise resolves.
 * Throws what the file system says.
 */
export function createHeadWriter(
  directory: string,
  signer: CheckpointSigner,
): (end: AuditHead) => Promise<void> {
  let written = 0
  let turn: Promise<void> = Promise.resolve()
  return (end) => {
    const step = turn.then(async () => {
      if (end.sequence <= written) return
      await writeHead(directory, end, signer)
      written = end.sequence
    })
    turn = step.catch(() => {})
    return step
  }
}

async function writeHead(
  directory: string,
  { sequence, hash }: AuditHead,
  signer: CheckpointSigner,
): Promise<void> {
  const signature = await signText(textOf({ sequence, hash }), signer)
  const unfinished = `${pathOf(directory)}.new`
  const file = await open(unfinished, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600)
  try {
    await file.writeFile(`${JSON.stringify({ sequence, hash, signature })}\n`)
    // A name that a power cut leaves without its bytes would be a head that nobody signed.
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, pathOf(directory))
  await syncDirectory(directory)
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
