// Whether the end of the record is what this agent wrote. Behind the last checkpoint nothing is signed: what stands there is held
// against the journal before it is signed.
import { readFile } from 'node:fs/promises'
import { linesOf, listFiles } from './audit-files.ts'
import { type AuditLine, closeLine, entryText } from './audit-line.ts'
import type { Taken } from './audit-trail.ts'

/**
 * The sequence of the first line that is not as the journal knows it: the last line that was taken over, or one behind it that
 * tells what never waited. Undefined: there is none. Throws what the file system says.
 */
export async function findForeign(
  directory: string,
  { sequence, hash, waiting }: Taken,
): Promise<number | undefined> {
  const files = await listFiles(directory)
  const holding = files.findLastIndex(({ first }) => first <= sequence)
  const records = new Map(waiting.map(({ entry, record }) => [entry, record]))
  // A removal that was stated may have taken it, when a power cut took the journal's last word.
  let isThere = holding < 0 && files.length > 0
  for (const { path } of files.slice(Math.max(0, holding)))
    for (const { line } of linesOf(await readFile(path))) {
      if (line?.sequence === sequence) {
        if (line.hash !== hash) return sequence
        isThere = true
      } else if (line && line.sequence > sequence && !isExpected(line, records)) return line.sequence
    }
  return isThere ? undefined : sequence
}

function isExpected(line: AuditLine, records: ReadonlyMap<number, string>): boolean {
  const { sequence, kind, entry, previous, hash } = line
  // It is signed, or found by its signature.
  if (kind === 'checkpoint') return true
  const record = records.get(entry)
  return record !== undefined && closeLine(entryText(sequence, entry, record, previous)).hash === hash
}
