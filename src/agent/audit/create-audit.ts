// The audit record of a running agent: takes the journal's entries over in order, all that wait with one sync, and says so when
// the disk does not let it.
import type { Conditions } from '../../telemetry/conditions.ts'
import { errorFields, type Logger } from '../../telemetry/logger.ts'
import { writeHead } from './audit-head.ts'
import type { AuditSource, AuditTrail } from './audit-trail.ts'
import { type AuditWriter, type AuditWriterOptions, openAuditWriter } from './audit-writer.ts'

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
const RETRY_MS = 1_000
const HEAD_MS = 200

/** Makes the record; `start` opens it. */
export function createAudit(options: AuditOptions): Audit {
  const { source, log } = options
  const stopping = new AbortController()
  const waiters = createWaiters()
  const head = createHead(options, () => writer)
  let writer: AuditWriter | undefined
  let isBroken = false
  let isStopped = false
  let retrying: Promise<void> | undefined
  let turn: Promise<void> = Promise.resolve()
  let isDraining = false
  /** One after the other: whatever writes. */
  const inTurn = (step: () => Promise<void>): Promise<void> => {
    turn = turn.then(step).then(
      () => mend(),
      (error: unknown) => fail(error),
    )
    return turn
  }
  const mend = () => {
    isBroken = false
    options.conditions.clear('audit_not_writable', '')
  }
  const fail = (error: unknown) => {
    waiters.refuse()
    options.conditions.raise('audit_not_writable', '', String(errorFields(error)['error']))
    isBroken = true
    retrying ??= retry()
  }
  const retry = async () => {
    while (isBroken && !stopping.signal.aborted) {
      await options.clock.sleep(RETRY_MS, stopping.signal)
      if (!stopping.signal.aborted) await inTurn(takeOver)
    }
    retrying = undefined
  }
  const takeOver = async () => {
    writer ??= await open(options)
    for (;;) {
      isDraining = false
      const waiting = source.entries(writer.end().entry, MOST_AT_ONCE)
      const last = waiting.at(-1)
      // Whoever still waits has an entry that the journal does not give.
      if (!last) return waiters.refuse()
      await writer.append(waiting)
      waiters.reached(last.entry)
      head.note()
      forget(options, last.entry)
    }
  }
  const wake = () => {
    if (isDraining || isBroken || isStopped) return
    isDraining = true
    void inTurn(takeOver)
  }
  const settle = async () => {
    source.settle()
    await takeOver()
  }
  let signedThrough = 0
  const housekeep = () =>
    inTurn(async () => {
      await settle()
      if (!writer) return
      await writer
        .retain()
        .catch((error: unknown) => log.warn('old audit files are not removed', errorFields(error)))
      if (writer.end().sequence > signedThrough) await writer.checkpoint('interval')
      signedThrough = writer.end().sequence
      head.note()
    })
  return {
    ...{ wake, housekeep },
    isWritable: () => writer !== undefined && !isBroken,
    reached: (entry) => {
      if (isBroken || isStopped) return Promise.resolve(false)
      const reached = waiters.wait(entry, writer?.end().entry ?? 0)
      wake()
      return reached
    },
    start: () => inTurn(takeOver),
    stop: async () => {
      await inTurn(async () => {
        await settle()
        await writer?.checkpoint('stop')
      })
      isStopped = true
      stopping.abort()
      waiters.refuse()
      await retrying
      await turn
      await head.stop()
      await writer
        ?.close()
        .catch((error: unknown) => log.warn('the audit file is not closed', errorFields(error)))
      writer = undefined
    },
  }
}

async function open(options: AuditOptions): Promise<AuditWriter> {
  const { source, clock, log } = options
  const writer = await openAuditWriter(options)
  try {
    const { entry } = writer.end()
    const mustHave = source.resume(entry, clock.wallMs())
    if (mustHave > entry) {
      log.error('the audit record has lost lines', { afterEntry: entry, throughEntry: mustHave })
      await writer.checkpoint('start', { missing: { afterEntry: entry, throughEntry: mustHave } })
    }
    return writer
  } catch (error) {
    await writer.close()
    throw error
  }
}

// They stand in the record now; what the journal does not forget at once it forgets with the next ones.
function forget({ source, log }: AuditOptions, through: number): void {
  try {
    source.appended(through)
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
  let written = 0
  let following: Promise<void> | undefined
  const write = async () => {
    const end = writer()?.end()
    if (!end || end.sequence === written) return
    try {
      await writeHead(options.directory, end, options.signer)
      written = end.sequence
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
