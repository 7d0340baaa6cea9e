// Appends lines: one write and one sync for all that wait, a new file when the old one is large or old enough, and signed
// checkpoints. Whatever fails leaves the record as it was.
import { constants, writeSync } from 'node:fs'
import { chmod, type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises'
import type { Clock } from '../../clock/clock.ts'
import { type AuditFile, fileOf, readFirstLine, syncDirectory } from './audit-files.ts'
import { createHeadWriter, readHead } from './audit-head.ts'
import { chainText, closeLine, entryText } from './audit-line.ts'
import { type CheckpointReason, type CheckpointSigner, signText } from './checkpoint.ts'
import { findEnd } from './find-end.ts'
import { type RetentionOptions, removeOutdated } from './retention.ts'

/** An entry of the journal that waits for its line. */
export interface WaitingEntry {
  readonly entry: number
  readonly record: string
}

/** What a writer is made of. */
export interface AuditWriterOptions extends RetentionOptions {
  readonly signer: CheckpointSigner
  readonly clock: Clock
  /** Told of each line after it is on the disk, without its line feed. */
  readonly written: (lines: readonly string[]) => void
}

/** The end of the record as it stands on the disk. */
export interface WrittenEnd {
  readonly sequence: number
  readonly hash: string
  readonly entry: number
}

/** An open record. */
export interface AuditWriter {
  readonly end: () => WrittenEnd
  /** True when there are lines behind the last checkpoint. */
  readonly isUnsigned: () => boolean
  /** On the disk when it resolves. Throws what the file system says; the record is then as before. */
  readonly append: (entries: readonly WaitingEntry[]) => Promise<void>
  /** Signs the record as it is. */
  readonly checkpoint: (reason: CheckpointReason, fields?: Readonly<Record<string, unknown>>) => Promise<void>
  /** The name of its file, when that is not where it was any more: what is written goes nowhere. */
  readonly findGone: () => Promise<string | undefined>
  /** Begins a new file, whose checkpoint says that the old one is gone. */
  readonly goOnWithout: (gone: string) => Promise<void>
  /** Puts the signed head on the disk: it names the end as it is now. */
  readonly keepHead: () => Promise<void>
  /** Deletes the files that are older than they must be, behind a checkpoint that says so. */
  readonly retain: () => Promise<void>
  readonly close: () => Promise<void>
}

interface Place extends WrittenEnd {
  readonly file: AuditFile
  readonly handle: FileHandle
  readonly size: number
  /** Of its first line. */
  readonly begunMs: number
}

const LINES_BETWEEN_CHECKPOINTS = 500

/** Opens the record and signs a first checkpoint. Throws what the file system says. */
export async function openAuditWriter(options: AuditWriterOptions): Promise<AuditWriter> {
  const { directory, signer, clock } = options
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o700)
  const head = await readHead(directory, signer.publicKey.kid)
  const found = await findEnd(directory, typeof head === 'string' ? undefined : head)
  // The first head is there before the first entry.
  const headless = typeof head === 'string' && found.entry > 0 ? { head } : {}
  const first = found.file && found.size > 0 ? await readFirstLine(found.file.path) : undefined
  const file = found.file ?? fileOf(directory, found.sequence + 1)
  let place: Place = {
    ...{ sequence: found.sequence, hash: found.hash, entry: found.entry, file, size: found.size },
    handle: await openFile(directory, file, found.size),
    begunMs: first ? Date.parse(first.time) : clock.wallMs(),
  }
  const write = createWriting(
    options,
    () => place,
    (next) => {
      place = next
    },
  )
  const putHead = createHeadWriter(directory, signer)
  const keepHead = () => putHead({ sequence: place.sequence, hash: place.hash })
  try {
    await write.checkpoint('start', { ...found.remarks, ...headless })
    // Before the first entry: so a record of entries without a head has lost it.
    await keepHead()
  } catch (error) {
    await place.handle.close()
    throw error
  }
  return {
    end: () => place,
    ...write,
    keepHead,
    findGone: async () => ((await isInPlace(place)) ? undefined : place.file.name),
    retain: () =>
      removeOutdated(options, async (removed) => {
        await write.checkpoint('retention', { removed })
        // The old head may name a line that goes now.
        await keepHead()
      }),
    close: () => place.handle.close(),
  }
}

async function isInPlace({ handle, file }: Place): Promise<boolean> {
  const own = await handle.stat({ bigint: true })
  const there = await stat(file.path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return there !== undefined && there.ino === own.ino && there.dev === own.dev
}

async function openFile(directory: string, file: AuditFile, size: number): Promise<FileHandle> {
  const anew = size === 0 ? constants.O_TRUNC : 0
  const handle = await open(file.path, constants.O_WRONLY | constants.O_CREAT | anew, 0o600)
  try {
    await syncDirectory(directory)
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Puts lines behind the end of the open file, all of them or none. */
function createPen(at: () => Place, goOn: (next: Place) => void, written: AuditWriterOptions['written']) {
  // After a failed write there may be bytes behind the end of this file.
  let soiled: FileHandle | undefined
  const clean = async () => {
    const { handle, size } = at()
    if (soiled === handle) await handle.truncate(size)
    soiled = undefined
  }
  const put = async ({ lines, ...end }: Batch) => {
    await clean()
    const place = at()
    soiled = place.handle
    try {
      await writeAll(place.handle, Buffer.from(lines.join('')), place.size)
      await place.handle.datasync()
    } catch (error) {
      // At once, so that a reader sees no line that was not kept.
      await clean().catch(() => {})
      throw error
    }
    soiled = undefined
    goOn({ ...place, ...end })
    written(lines.map((line) => line.slice(0, -1)))
  }
  return { clean, put }
}

/** The steps that write. They are called one after the other. */
function createWriting(
  options: AuditWriterOptions,
  at: () => Place,
  goOn: (next: Place) => void,
): Pick<AuditWriter, 'append' | 'checkpoint' | 'isUnsigned' | 'goOnWithout'> {
  let sinceCheckpoint = 0
  const pen = createPen(at, goOn, options.written)
  const checkpoint: AuditWriter['checkpoint'] = async (reason, fields = {}) => {
    const batch = createBatch(at())
    await addCheckpoint(batch, options, reason, fields)
    await pen.put(batch)
    sinceCheckpoint = 0
  }
  const rotate = async (fields: Readonly<Record<string, unknown>> = {}) => {
    const old = at()
    await pen.clean()
    const file = fileOf(options.directory, old.sequence + 1)
    const handle = await openFile(options.directory, file, 0)
    goOn({ ...old, file, handle, size: 0, begunMs: options.clock.wallMs() })
    try {
      await checkpoint('rotation', fields)
    } catch (error) {
      goOn(old)
      await handle.close()
      await rm(file.path, { force: true })
      throw error
    }
    await old.handle.close()
  }
  return {
    checkpoint,
    isUnsigned: () => sinceCheckpoint > 0,
    goOnWithout: async (file) => {
      await mkdir(options.directory, { recursive: true, mode: 0o700 })
      await rotate({ gone: { file } })
    },
    append: async (entries) => {
      if (isFull(at(), options)) await rotate()
      const batch = createBatch(at())
      for (const { entry, record } of entries) addEntry(batch, entry, record)
      const isDue = sinceCheckpoint + entries.length >= LINES_BETWEEN_CHECKPOINTS
      if (isDue) await addCheckpoint(batch, options, 'interval', {})
      await pen.put(batch)
      sinceCheckpoint = isDue ? 0 : sinceCheckpoint + entries.length
    },
  }
}

const isFull = ({ size, begunMs }: Place, { keeping, clock }: AuditWriterOptions): boolean =>
  size > 0 && (size >= keeping.fileBytes || clock.wallMs() - begunMs >= keeping.fileMs)

interface Batch {
  sequence: number
  hash: string
  entry: number
  size: number
  readonly lines: string[]
}

const createBatch = ({ sequence, hash, entry, size }: Place): Batch => ({
  ...{ sequence, hash, entry, size },
  lines: [],
})

function addEntry(batch: Batch, entry: number, record: string): void {
  const sequence = batch.sequence + 1
  addLine(batch, { sequence, entry }, entryText(sequence, entry, record, batch.hash))
}

async function addCheckpoint(
  batch: Batch,
  { signer, clock }: AuditWriterOptions,
  reason: CheckpointReason,
  fields: Readonly<Record<string, unknown>>,
): Promise<void> {
  const time = new Date(clock.wallMs()).toISOString()
  const chain = { sequence: batch.sequence + 1, time, kind: 'checkpoint', entry: batch.entry }
  const text = chainText(chain, { reason, agent: signer.agent, ...fields }, batch.hash)
  addLine(batch, chain, `${text},"signature":"${await signText(text, signer)}"`)
}

function addLine(batch: Batch, chain: { readonly sequence: number; readonly entry: number }, text: string) {
  const { line, hash } = closeLine(text)
  batch.lines.push(line)
  batch.sequence = chain.sequence
  batch.entry = chain.entry
  batch.hash = hash
  batch.size += Buffer.byteLength(line)
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    // A thread of its own for some lines in memory costs more than they do; the sync behind them has one.
    done += writeSync(handle.fd, bytes, done, bytes.length - done, position + done)
  }
}
