// Holds every write back, marked or not, while an unmarked write of an earlier request may still arrive: it would undo a
// newer one, and no marker stops it.
import type { WriterSession } from '../directory/directory.ts'
import { findQuarantine } from './settle-unmarked.ts'
import type { Step } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

/** The wait for what an earlier request of the account may have sent without a marker; undefined: nothing can come any more. */
export const guardLateWrite = (
  parts: Pick<WritebackParts, 'goneServers' | 'journal' | 'storeTime'>,
  work: Work,
  session: WriterSession,
): Step | undefined => findLateOwn(parts, work) ?? findLateLast(parts, work, session)

/** What this agent sent itself: later requests of the account that wrote nothing hide it from the store's order. */
function findLateOwn(
  { journal, storeTime }: Pick<WritebackParts, 'journal' | 'storeTime'>,
  work: Work,
): Step | undefined {
  const { open, served } = work
  const late = journal.lastUnmarkedDoubt(open.directory, open.subject, open.requestId)
  if (!late) return undefined
  const isOld = storeTime.nowMs() - late.startedAtMs >= (served.lanes?.quarantineMs ?? Infinity)
  return isOld ? undefined : findQuarantine(work, `${late.requestId} ${late.n} late`)
}

function findLateLast(
  { goneServers }: Pick<WritebackParts, 'goneServers'>,
  work: Work,
  session: WriterSession,
): Step | undefined {
  const { open, served } = work
  const { last } = open
  if (served.withoutMarker !== 'version' || last === null || last.settled || last.marker !== null)
    return undefined
  const isHere = last.server === session.server && !goneServers().has(last.server)
  return isHere ? findQuarantine(work, `${open.requestId} last`) : undefined
}
