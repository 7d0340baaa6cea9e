// The files of the record: each is named for the sequence of its first line, so their order is that of their names.
import { constants } from 'node:fs'
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type AuditLine, readLine } from './audit-line.ts'

/** One file of the record. */
export interface AuditFile {
  readonly name: string
  readonly path: string
  /** The sequence of its first line, from its name. */
  readonly first: number
}

/** A line in its file; `line` is undefined for one that does not prove itself. Line numbers begin at 1. */
export interface FiledLine {
  readonly number: number
  readonly bytes: Buffer
  readonly line: AuditLine | undefined
  /** False for what stands behind the last line feed. */
  readonly isEnded: boolean
}

const NAME = /^audit-(\d{12})\.jsonl$/
const LINE_FEED = 10

/** Where the record lies in a state directory. */
export const auditDirectoryOf = (stateDirectory: string): string => join(stateDirectory, 'audit')

/** The file that begins with this sequence. */
export function fileOf(directory: string, first: number): AuditFile {
  const name = `audit-${String(first).padStart(12, '0')}.jsonl`
  return { name, path: join(directory, name), first }
}

/** Every file, oldest first; none when the directory is not there. */
export async function listFiles(directory: string): Promise<readonly AuditFile[]> {
  try {
    const names = await readdir(directory)
    const files = names.flatMap((name) => {
      const first = NAME.exec(name)?.[1]
      return first === undefined ? [] : [{ name, path: join(directory, name), first: Number(first) }]
    })
    return files.toSorted((a, b) => a.first - b.first)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw cause
  }
}

/** The lines of a file's bytes, in order. */
export function* linesOf(bytes: Buffer): Generator<FiledLine> {
  let number = 0
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(LINE_FEED, start)
    const end = feed < 0 ? bytes.length : feed
    const text = bytes.subarray(start, end)
    number += 1
    yield { number, bytes: text, line: readLine(text), isEnded: feed >= 0 }
    start = end + 1
  }
}

const FIRST_BYTES = 64 * 1024

/** The first line of a file, which begins with a checkpoint; undefined when it cannot be read or proves nothing. */
export async function readFirstLine(path: string): Promise<AuditLine | undefined> {
  let file: FileHandle | undefined
  try {
    file = await open(path, constants.O_RDONLY)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(FIRST_BYTES), 0, FIRST_BYTES, 0)
    return linesOf(buffer.subarray(0, bytesRead)).next().value?.line
  } catch {
    return undefined
  } finally {
    await file?.close()
  }
}

/** Makes the names in a directory durable; Windows has no such call and needs none. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
