// Reads the writable memory of a process that runs, and looks through it for secrets.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import type { Found, Search } from './search.ts'

/** What a process's memory holds. */
export interface MemoryScan {
  readonly bytes: number
  readonly found: readonly Found[]
}

const PIECE = 8 * 1024 * 1024
// Longer than any form: one that begins in a piece ends in what follows it.
const OVERLAP = 4096

/** Looks through the process now. */
export function scanMemory(pid: number, search: Search): MemoryScan {
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const piece = Buffer.allocUnsafeSlow(PIECE + OVERLAP)
  const found: Found[] = []
  let bytes = 0
  try {
    for (const [start, end] of writableRanges(pid))
      for (let at = start; at < end; at += PIECE) {
        const length = readPiece(memory, piece, at, Math.min(piece.length, end - at))
        bytes += Math.min(length, PIECE)
        found.push(...search.find(piece.subarray(0, length)).filter((one) => one.at < PIECE))
      }
  } finally {
    closeSync(memory)
    piece.fill(0)
  }
  return { bytes, found }
}

function readPiece(memory: number, piece: Buffer, at: number, length: number): number {
  try {
    return readSync(memory, piece, 0, length, at)
  } catch {
    // Not every mapping can be read.
    return 0
  }
}

function writableRanges(pid: number): readonly (readonly [number, number])[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
      return start && end ? [[Number.parseInt(start, 16), Number.parseInt(end, 16)] as const] : []
    })
}
