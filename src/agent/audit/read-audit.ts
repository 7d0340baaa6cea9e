// Reads the record for people and for other systems, without holding it against itself: that is the check's work.
import { readFile } from 'node:fs/promises'
import { linesOf, listFiles } from './audit-files.ts'
import type { AuditLine } from './audit-line.ts'

/** Which records are wanted. Default all. */
export interface AuditQuestion {
  readonly request?: string
  /** Wall clock of the agent's host, milliseconds since 1970. */
  readonly sinceMs?: number
}

/** One record as it stands in the file. */
export interface ReadRecord {
  readonly line: AuditLine
  /** Without the line feed. */
  readonly text: string
}

/** Gives the records in order, and counts the lines that prove nothing. Throws what the file system says. */
export async function readAudit(
  directory: string,
  question: AuditQuestion,
  take: (record: ReadRecord) => void | Promise<void>,
): Promise<{ readonly files: number; readonly damaged: number }> {
  const files = await listFiles(directory)
  let damaged = 0
  for (const file of files)
    for (const { line, bytes } of linesOf(await readFile(file.path))) {
      if (line === undefined) damaged += 1
      else if (isMeant(line, question)) await take({ line, text: bytes.toString('utf8') })
    }
  return { files: files.length, damaged }
}

const isMeant = ({ fields, time }: AuditLine, { request, sinceMs }: AuditQuestion): boolean =>
  (request === undefined || fields['request'] === request) &&
  (sinceMs === undefined || Date.parse(time) >= sinceMs)
