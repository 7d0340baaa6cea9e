// The audit record of a running agent: takes the journal's entries over in order, all that wait with one sync, and says so when
// the disk does not let it.
import type { Conditions } from '../../telemetry/conditions.ts'
import { errorFields, type Logger } from '../../telemetry/logger.ts'
import type { AuditSource, AuditTrail } from './audit-trail.ts'
import { createTurns } from './audit-turns.ts'
import { type AuditWriter, type AuditWriterOptions, openAuditWriter } from './audit-writer.ts'
import { findForeign } from './find-foreign.ts'

/** The record with its life. */
export interface Audit extends AuditTrail {
  /** Opens the record and takes over what an earlier process left; a disk that does not let it is waited for. */
  readonly start: () => Promise<void>
  /** Signs what is new since the last time, and removes what need not be kept; never rejects. */
  readonly housekeep: () => Promise<void>
  /** Takes over what waits, signs, and closes. */
  readonly stop: () => Promise<void>
}

/** What the record is made of. */
export interface AuditOptions extends AuditWriterOptions {
  readonly source: AuditSource
  readonly conditions: Conditions
  readonly log: Logger
}

const MOST_AT_ONCE = 256
const HEAD_MS = 200

/** Makes the record; `start` opens it. */
export function createAudit(options: AuditOptions): Audit {
  const { source, log } = options
  let writer: AuditWriter | undefined
  let isResumed = false
  let gone: string | undefined
  let isDraining = false
  let isStopped = false
  const waiters = createWaiters()
  const head = createHead(options, () => writer)
  const takeOver = async () => {
    writer ??= await openAuditWriter(options)
    if (!isResumed) await resume(options, writer)
    isResumed = true
    if (gone !== undefined) await writer.goOnWithout(gone)
    gone = undefined
    for (;;) {
      isDraining = false
      const waiting = source.entries(writer.end().entry, MOST_AT_ONCE)
      const last = waiting.at(-1)
      // Whoever still waits has an entry that the journal does not give.
      if (!last) return waiters.refuse()
      await writer.append(waiting)
      waiters.reached(last.entry)
      head.note()
      forget(options, last.entry, writer)
    }
  }
  const turns = createTurns(options, takeOver, waiters.refuse)
  const wake = () => {
    if (isDraining || isStopped || turns.isBroken()) return
    isDraining = true
    void turns.take(takeOver)
  }
  const settle = async () => {
    source.settle()
    await takeOver()
  }
  return {
    wake,
    isWritable: () => isResumed && !turns.isBroken(),
    reached: (entry) => {
      if (isStopped || turns.isBroken()) return Promise.resolve(false)
      const reached = waiters.wait(entry, writer?.end().entry ?? 0)
      wake()
      return reached
    },
    start: () => turns.take(takeOver),
    housekeep: () =>
      turns.take(async () => {
        gone ??= await writer?.findGone()
        if (gone !== undefined) throw tellGone(options, gone)
        await settle()
        if (writer) await keep(writer, log)
        head.note()
      }),
    stop: async () => {
      await turns.take(async () => {
        await settle()
        await writer?.checkpoint('stop')
      })
      isStopped = true
      waiters.refuse()
      await turns.stop()
      await head.stop()
      await writer
        ?.close()
        .catch((error: unknown) => log.warn('the audit file is not closed', errorFields(error)))
    },
  }
}

/** The next try begins a new file; until then nothing may be written to a directory. */
function tellGone({ conditions }: AuditOptions, file: string): Error {
  const detail = `the audit file ${file} was moved or deleted while it was written`
  conditions.raise('audit_changed', '', detail)
  return new Error(detail)
}

async function keep(writer: AuditWriter, log: Logger): Promise<void> {
  await writer
    .retain()
    .catch((error: unknown) => log.warn('old audit files are not removed', errorFields(error)))
  if (writer.isUnsigned()) await writer.checkpoint('interval')
}

/** Tells the journal where the record stands, and the record what it has lost by the journal's word. */
async function resume(options: AuditOptions, writer: AuditWriter): Promise<void> {
  const { source, clock, log } = options
  const { entry } = writer.end()
  await tellForeign(options, writer)
  const mustHave = source.resume(entry, clock.wallMs())
  if (mustHave <= entry) return
  log.error('the audit record has lost lines', { afterEntry: entry, throughEntry: mustHave })
  await writer.checkpoint('start', { missing: { afterEntry: entry, throughEntry: mustHave } })
}

/** Says so when the end of the record was written by somebody else. */
async function tellForeign({ source, directory, conditions }: AuditOptions, writer: AuditWriter) {
  const taken = source.taken()
  const foreign = taken && (await findForeign(directory, taken))
  if (foreign === undefined) return
  const detail = `record ${foreign} is not as this agent wrote it, or is gone`
  conditions.raise('audit_changed', '', detail)
  await writer.checkpoint('start', { foreign: { record: foreign } })
}

// They stand in the record now; what the journal does not forget at once it forgets with the next ones.
function forget({ source, log }: AuditOptions, through: number, writer: AuditWriter): void {
  const { sequence, hash } = writer.end()
  try {
    source.appended(through, { sequence, hash })
  } catch (error) {
    log.debug('the journal keeps entries that the audit record has', errorFields(error))
  }
}

/** Those who wait for an entry before they write. */
function createWaiters() {
  let waiting: { readonly entry: number; readonly resolve: (isReached: boolean) => void }[] = []
  const take = (isMeant: (entry: number) => boolean, isReached: boolean) => {
    const meant = waiting.filter(({ entry }) => isMeant(entry))
    waiting = waiting.filter(({ entry }) => !isMeant(entry))
    for (const { resolve } of meant) resolve(isReached)
  }
  return {
    wait: (entry: number, reached: number): Promise<boolean> =>
      entry <= reached
        ? Promise.resolve(true)
        : new Promise((resolve) => {
            waiting.push({ entry, resolve })
          }),
    reached: (through: number) => take((entry) => entry <= through, true),
    refuse: () => take(() => true, false),
  }
}

/** The signed head follows the record at a small distance; nobody waits for it. */
function createHead(options: AuditOptions, writer: () => AuditWriter | undefined) {
  let following: Promise<void> | undefined
  const write = async () => {
    try {
      await writer()?.keepHead()
    } catch (error) {
      options.log.warn('the head of the audit record cannot be written', errorFields(error))
    }
  }
  const stopping = new AbortController()
  const follow = async () => {
    await options.clock.sleep(HEAD_MS, stopping.signal)
    following = undefined
    await write()
  }
  return {
    note: () => {
      following ??= follow()
    },
    stop: async () => {
      stopping.abort()
      await following
      await write()
    },
  }
}
