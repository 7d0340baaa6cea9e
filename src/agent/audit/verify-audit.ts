// Holds the record against itself: every line, its place, every signature, and where it ends.
import { readFile } from 'node:fs/promises'
import { type AuditFile, type FiledLine, linesOf, listFiles } from './audit-files.ts'
import { type AuditHead, readHead } from './audit-head.ts'
import { type AuditLine, NO_HASH } from './audit-line.ts'
import { isSignedText } from './checkpoint.ts'

/** One thing that is wrong with the record. `line` begins at 1; 0: the file as a whole. */
export interface AuditFault {
  readonly file: string
  readonly line: number
  readonly what: string
}

const UNFINISHED = 'the line is not finished: a crash or somebody cut it off'

/** What a look at the whole record found. */
export interface AuditVerdict {
  readonly faults: readonly AuditFault[]
  readonly files: number
  readonly records: number
  readonly checkpoints: number
  /** Sequences of the first and the last line; 0: there is none. */
  readonly first: number
  readonly last: number
  /** Writes that were begun, and those whose result is not there yet. */
  readonly writes: number
  readonly unanswered: number
}

const HEAD_IS_OLD = 'the head is older than the first record: an earlier one was put in its place'

/** True when all that is wrong may be an agent at work: a line that is being written, old files that are being removed. */
export const isFleeting = ({ faults }: AuditVerdict): boolean =>
  faults.length > 0 && faults.every(({ what }) => what === UNFINISHED || what === HEAD_IS_OLD)

/**
 * Looks at every byte of the record in `directory`; `thumbprint`: of the identity key that must have signed it. May run beside the
 * agent. Throws what the file system says.
 */
export async function verifyAudit(directory: string, thumbprint: string): Promise<AuditVerdict> {
  // The head first: what it names stands in the files already.
  const head = await readHead(directory, thumbprint)
  const files = await listFiles(directory)
  const chain = createChain(thumbprint, head)
  for (const file of files) await chain.take(file, await readFile(file.path))
  return chain.conclude()
}

interface Removal {
  readonly through: number
  readonly hash: string
}

function createChain(thumbprint: string, head: AuditHead | 'missing' | 'invalid') {
  const faults: AuditFault[] = []
  const open = new Set<string>()
  const totals = { files: 0, records: 0, checkpoints: 0, writes: 0 }
  let first: { readonly line: AuditLine; readonly file: string } | undefined
  let last: AuditLine | undefined
  let removed: Removal | undefined
  let isHeadThere = false

  const takeLine = async (file: AuditFile, { number, bytes, line, isEnded }: FiledLine) => {
    const say = (what: string) => void faults.push({ file: file.name, line: number, what })
    if (!isEnded) return say(UNFINISHED)
    if (!line) return say('the line was changed: it does not fit its own hash')
    totals.records += 1
    const isAfterDamage = faults.at(-1)?.file === file.name && faults.at(-1)?.line === number - 1
    const place = first ? findPlaceFault(last, line, isAfterDamage) : undefined
    if (place) say(place)
    first ??= { line, file: file.name }
    last = line
    if (typeof head !== 'string' && line.hash === head.hash) isHeadThere = true
    if (number === 1 && line.sequence !== file.first) say(`the file is named for record ${file.first}`)
    if (number === 1 && line.kind !== 'checkpoint') say('the file does not begin with a checkpoint')
    countWrite(line, open, totals)
    if (line.kind !== 'checkpoint') return
    totals.checkpoints += 1
    const isSigned = await isSignedLine(bytes, line, thumbprint)
    if (!isSigned) return say('the checkpoint is not signed by the agent’s identity key')
    for (const what of findToldFaults(line)) say(what)
    removed = readRemoved(line) ?? removed
  }
  return {
    take: async (file: AuditFile, bytes: Buffer) => {
      totals.files += 1
      for (const line of linesOf(bytes)) await takeLine(file, line)
    },
    conclude: (): AuditVerdict => {
      for (const fault of [
        findStartFault(first, removed),
        findEndFault(head, first?.line.sequence ?? 0, last?.sequence ?? 0, isHeadThere),
      ])
        if (fault) faults.push(fault)
      return {
        ...{ faults, ...totals, unanswered: open.size },
        ...{ first: first?.line.sequence ?? 0, last: last?.sequence ?? 0 },
      }
    },
  }
}

/** A record begins with its first line, or behind lines of which a signed checkpoint says that they were removed. */
function findStartFault(
  first: { readonly line: AuditLine; readonly file: string } | undefined,
  removed: Removal | undefined,
): AuditFault | undefined {
  if (!first) return { file: '', line: 0, what: 'there is no record' }
  const { sequence, previous } = first.line
  if (sequence === 1 && previous === NO_HASH) return undefined
  if (removed?.through === sequence - 1 && removed.hash === previous) return undefined
  const what = `records 1 to ${sequence - 1} are missing, and no signed statement says that they were removed`
  return { file: first.file, line: 1, what }
}

/** A record holds what its head names. */
function findEndFault(
  head: AuditHead | 'missing' | 'invalid',
  begin: number,
  end: number,
  isThere: boolean,
): AuditFault | undefined {
  const inHead = (line: number, what: string) => ({ file: 'head.json', line, what })
  if (head === 'missing') return inHead(0, 'the head is missing: nobody can tell whether the end is there')
  if (head === 'invalid') return inHead(1, 'the head was changed, or another key signed it')
  if (head.sequence > end)
    return { file: '', line: 0, what: `records ${end + 1} to ${head.sequence} are missing at the end` }
  // The agent writes a new head before it removes the line that the old one names.
  if (head.sequence < begin) return inHead(1, HEAD_IS_OLD)
  return isThere ? undefined : inHead(1, `the head names a record ${head.sequence} that is not there`)
}

/** Whether a line stands where it says. Behind a line that proves nothing only the sequence can be held against it. */
function findPlaceFault(
  before: AuditLine | undefined,
  line: AuditLine,
  isAfterDamage: boolean,
): string | undefined {
  if (!before) return undefined
  const expected = before.sequence + 1
  if (line.sequence < expected)
    return `record ${line.sequence} stands behind record ${before.sequence}: the order was changed`
  if (isAfterDamage) return undefined
  if (line.sequence > expected)
    return line.sequence - expected === 1
      ? `record ${expected} is missing here`
      : `records ${expected} to ${line.sequence - 1} are missing here`
  if (line.previous !== before.hash) return `record ${line.sequence} does not follow the record before it`
  const isTold = line.kind !== 'checkpoint'
  if (line.entry < before.entry || (isTold && line.entry === before.entry))
    return `entry ${line.entry} of the journal is told again`
  return undefined
}

const SIGNATURE = ',"signature":"'

/** True when every byte of the line before its hash is signed: what stands behind a signature nobody vouches for. */
async function isSignedLine(
  bytes: Buffer,
  { fields, hash }: AuditLine,
  thumbprint: string,
): Promise<boolean> {
  const signature = String(fields['signature'])
  const text = bytes.toString('utf8', 0, Math.max(0, bytes.lastIndexOf(SIGNATURE)))
  const isWhole = bytes.equals(Buffer.from(`${text}${SIGNATURE}${signature}","hash":"${hash}"}`))
  return isWhole && (await isSignedText(text, signature, thumbprint))
}

/** What the agent itself found wrong, and said in a checkpoint. */
function findToldFaults({ fields }: AuditLine): readonly string[] {
  const { damaged, lost, missing, foreign, gone } = fields as Record<
    string,
    Record<string, unknown> | undefined
  >
  return [
    ...(damaged ? [`the agent found ${damaged['lines']} damaged lines in ${damaged['file']}`] : []),
    ...(lost ? [`the agent missed records ${lost['from']} to ${lost['to']} at its start`] : []),
    ...(missing
      ? [
          `the agent missed entries behind ${missing['afterEntry']} up to ${missing['throughEntry']} at its start`,
        ]
      : []),
    ...(foreign
      ? [`the agent found at its start that record ${foreign['record']} is not as it wrote it`]
      : []),
    ...(gone ? [`the agent found that ${gone['file']} was moved or deleted while it wrote it`] : []),
    ...(fields['head'] ? [`the agent found the head ${fields['head']} at its start`] : []),
  ]
}

function readRemoved({ fields }: AuditLine): Removal | undefined {
  const removed = fields['removed'] as { readonly through?: unknown; readonly hash?: unknown } | undefined
  return removed && { through: Number(removed.through), hash: String(removed.hash) }
}

function countWrite({ kind, fields }: AuditLine, open: Set<string>, totals: { writes: number }): void {
  const key = `${String(fields['request'])} ${String(fields['attempt'])}`
  if (kind === 'result') open.delete(key)
  if (kind !== 'intent') return
  totals.writes += 1
  open.add(key)
}
