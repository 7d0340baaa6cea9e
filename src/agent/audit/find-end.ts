// Where the record goes on after a stop or a crash: behind the last line that proves itself. What a crash left unfinished is cut.
import { readFile, truncate } from 'node:fs/promises'
import { type AuditFile, type FiledLine, linesOf, listFiles } from './audit-files.ts'
import type { AuditHead } from './audit-head.ts'
import { type AuditLine, NO_HASH } from './audit-line.ts'

/** The place where the next line goes, and what there is to say about the way there. */
export interface AuditEnd {
  /** The file to go on with; undefined: a new one is begun. */
  readonly file: AuditFile | undefined
  readonly size: number
  readonly sequence: number
  readonly hash: string
  /** The last of the journal's entries in the record. */
  readonly entry: number
  readonly remarks: StartRemarks
}

/** What a start found, told in its checkpoint. */
export interface StartRemarks {
  /** Bytes of an unfinished line that were cut. */
  readonly cut?: { readonly file: string; readonly bytes: number }
  /** Lines that do not prove themselves, left where they are. */
  readonly damaged?: { readonly file: string; readonly lines: number }
  /** The record ended before the line that the signed head names. */
  readonly lost?: { readonly from: number; readonly to: number }
  /** What was wrong with the head of a record that holds entries. */
  readonly head?: 'missing' | 'invalid'
}

interface Reading {
  readonly last: { readonly line: AuditLine; readonly end: number } | undefined
  readonly damaged: number
  readonly unfinished: number
}

/** Finds the end, and cuts an unfinished line off. Throws what the file system says. */
export async function findEnd(directory: string, head: AuditHead | undefined): Promise<AuditEnd> {
  const files = await listFiles(directory)
  let remarks: StartRemarks = {}
  let open: { readonly file: AuditFile; readonly size: number } | undefined
  for (const file of files.toReversed()) {
    const reading = readEnd(await readFile(file.path))
    if (reading.unfinished > 0 && reading.damaged === 0) {
      await truncate(file.path, reading.last?.end ?? 0)
      remarks = { ...remarks, cut: { file: file.name, bytes: reading.unfinished } }
    }
    if (reading.damaged > 0)
      remarks = {
        ...remarks,
        damaged: { file: file.name, lines: reading.damaged + (reading.unfinished ? 1 : 0) },
      }
    open ??= reading.damaged > 0 ? undefined : { file, size: reading.last?.end ?? 0 }
    if (reading.last) return endAt(reading.last.line, open, head, remarks)
  }
  return endAt(undefined, open, head, remarks)
}

function readEnd(bytes: Buffer): Reading {
  let last: Reading['last']
  let [damaged, unfinished, end] = [0, 0, 0]
  for (const { line, bytes: text, isEnded } of linesOf(bytes) as Iterable<FiledLine>) {
    end += text.length + (isEnded ? 1 : 0)
    if (!isEnded) unfinished = text.length
    else if (line) [last, damaged] = [{ line, end }, 0]
    else damaged += 1
  }
  return { last, damaged, unfinished }
}

function endAt(
  line: AuditLine | undefined,
  open: { readonly file: AuditFile; readonly size: number } | undefined,
  head: AuditHead | undefined,
  remarks: StartRemarks,
): AuditEnd {
  const known = line?.sequence ?? 0
  const isShort = head !== undefined && head.sequence > known
  const sequence = Math.max(known + (remarks.damaged?.lines ?? 0), head?.sequence ?? 0)
  const hash = isShort ? head.hash : (line?.hash ?? NO_HASH)
  const fits = open !== undefined && !isShort && (open.size > 0 || open.file.first === sequence + 1)
  return {
    file: fits ? open.file : undefined,
    size: fits ? open.size : 0,
    ...{ sequence, hash, entry: line?.entry ?? 0 },
    remarks: isShort ? { ...remarks, lost: { from: known + 1, to: head.sequence } } : remarks,
  }
}
