// How long the record is kept: the oldest files go, behind a signed statement of what was removed.
import { rm, stat } from 'node:fs/promises'
import { type AuditFile, listFiles, readFirstLine, syncDirectory } from './audit-files.ts'

/** When a file ends, and when it is deleted. */
export interface AuditKeeping {
  readonly fileBytes: number
  readonly fileMs: number
  readonly keepMs: number
  readonly keepBytes: number
}

/** What is removed: these files, up to the line with this sequence and this hash. */
export interface Removed {
  readonly files: readonly string[]
  readonly through: number
  readonly hash: string
}

/** What decides over old files. */
export interface RetentionOptions {
  readonly directory: string
  readonly keeping: AuditKeeping
  /** Milliseconds since 1970 that somebody else's clock confirms; undefined: nobody does now, so nothing is too old. */
  readonly confirmedNowMs: () => number | undefined
}

/** Removes what need not be kept any more; `state` puts it on record before. Throws what the file system says. */
export async function removeOutdated(
  { directory, keeping, confirmedNowMs }: RetentionOptions,
  state: (removed: Removed) => Promise<void>,
): Promise<void> {
  const outdated = await findOutdated(await listFiles(directory), keeping, confirmedNowMs())
  const last = outdated.at(-1)
  if (!last) return
  // Said first: a crash in between leaves files that are removed the next time.
  await state({ files: outdated.map(({ file }) => file.name), through: last.through, hash: last.hash })
  for (const { file } of outdated) await rm(file.path, { force: true })
  await syncDirectory(directory)
}

interface Outdated {
  readonly file: AuditFile
  readonly through: number
  readonly hash: string
}

/** The oldest files whose last line is too old, or for which there is no room; never the one in use. */
async function findOutdated(
  files: readonly AuditFile[],
  { keepMs, keepBytes }: AuditKeeping,
  nowMs: number | undefined,
): Promise<readonly Outdated[]> {
  const sizes = await Promise.all(files.map(async ({ path }) => (await stat(path)).size))
  let bytes = sizes.reduce((sum, size) => sum + size, 0)
  const outdated: Outdated[] = []
  for (const [index, file] of files.slice(0, -1).entries()) {
    const next = await readFirstLine((files[index + 1] as AuditFile).path)
    const isTooOld = next !== undefined && nowMs !== undefined && nowMs - Date.parse(next.time) > keepMs
    if (!next || !(isTooOld || bytes > keepBytes)) break
    outdated.push({ file, through: next.sequence - 1, hash: next.previous })
    bytes -= sizes[index] as number
  }
  return outdated
}
