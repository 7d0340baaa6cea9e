// What stands against writing now, without a look at the directory.
import { LARGEST_CLOCK_SKEW_MS } from '../../protocol/identifiers.ts'
import { findImpossibleDate, isExpired } from '../decisions/judge-document.ts'
import type { WriterSession } from '../directory/directory.ts'
import { end, type Step, wait } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

const PAUSE_LOOK_MS = 1_000
const AUDIT_LOOK_MS = 1_000
const CLOCK_LOOK_MS = 500
const LEASE_LOOK_MS = 500

/** Expiry, clocks, pause and breaker: what ends or holds a request before any directory connection. undefined: go on. */
export function findObstacle(parts: WritebackParts, work: Work): Step | undefined {
  if (parts.storeTime.offsetMs() === undefined) return wait(CLOCK_LOOK_MS)
  if (isExpired(work.document, parts.storeTime.nowMs())) return end({ outcome: 'expired' })
  if (parts.storeTime.isUncertain()) return wait(CLOCK_LOOK_MS)
  if (parts.storeTime.isSkewed()) {
    parts.conditions.raise(
      'clock_skew',
      '',
      `the store's clock differs by ${parts.storeTime.offsetMs() ?? 0} ms`,
    )
    return end({ outcome: 'failed', reason: 'clock_skew' })
  }
  parts.conditions.clear('clock_skew', '')
  const impossible = findImpossibleDate(work.document, parts.storeTime.nowMs())
  if (impossible) return end({ outcome: 'failed', reason: 'request_invalid' }, { detail: impossible })
  const isStopped = parts.isPaused() || parts.limits.isStopped(work.document.directory)
  return isStopped ? wait(PAUSE_LOOK_MS) : findAuditObstacle(parts)
}

/** Nothing is written that the audit record could not tell of first. */
export const findAuditObstacle = ({ audit }: Pick<WritebackParts, 'audit'>): Step | undefined =>
  audit.isWritable() ? undefined : wait(AUDIT_LOOK_MS)

/** As findObstacle, with the lease and the directory's clock: all that must hold right before a write. */
export function findWriteObstacle(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
): Step | undefined {
  return findObstacle(parts, work) ?? findSkewObstacle(parts, work, session) ?? findLeaseObstacle(parts, work)
}

/** The directory's clock: too far off, its times cannot be compared with the store's. */
export function findSkewObstacle(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
): Step | undefined {
  const { storeTime } = parts
  if (storeTime.isUncertain() || !storeTime.isComparable()) return wait(CLOCK_LOOK_MS)
  const directory = work.served.directory.name
  const ahead = directoryAheadMs(parts, session)
  if (Math.abs(ahead) > LARGEST_CLOCK_SKEW_MS) {
    parts.conditions.raise(
      'clock_skew',
      directory,
      `the directory's clock differs from the store's by ${Math.round(ahead)} ms`,
    )
    return end({ outcome: 'failed', reason: 'clock_skew' }, { server: session.server })
  }
  parts.conditions.clear('clock_skew', directory)
  return undefined
}

/** Without its lease a request rests: another agent may be at work on it. */
export const findLeaseObstacle = (parts: WritebackParts, { open }: Pick<Work, 'open'>): Step | undefined =>
  parts.leases.isHeld({ request: open.requestId, lease: open.lease }) ? undefined : wait(LEASE_LOOK_MS)

/**
 * Directory time minus store time, milliseconds. Both by the monotonic clock: a step of this host's clock between the two readings
 * would count as a difference.
 */
const directoryAheadMs = (parts: WritebackParts, session: WriterSession): number =>
  session.directoryNowMs() - parts.storeTime.byMonotonicMs()

/**
 * The least that directory time minus store time can be, milliseconds: what was changed after a request was issued must not look
 * older than it. Quick answers of both keep it within the contract's two seconds.
 */
export const directoryAheadAtLeastMs = (parts: WritebackParts, session: WriterSession): number =>
  directoryAheadMs(parts, session) - session.directoryDoubtMs() - parts.storeTime.doubtMs()
