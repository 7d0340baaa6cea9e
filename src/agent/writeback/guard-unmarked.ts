// What must hold before an account is written without its marker: the configuration allows it, and no other write of it
// may still be on its way. Only the store's order and the password's version are left to tell.
import type { Account } from '../decisions/account.ts'
import { isPreviousVisible } from '../decisions/judge-doubt.ts'
import type { WriterSession } from '../directory/directory.ts'
import { missingGrant } from './marker-right.ts'
import { findQuarantine } from './settle-unmarked.ts'
import { end, type Step, wait } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

const REPLICATION_LOOK_MS = 1_000

/** The step that ends or holds a write without a marker; undefined: it may be made. */
export function guardUnmarked(
  { goneServers }: Pick<WritebackParts, 'goneServers'>,
  work: Work,
  session: WriterSession,
  account: Account,
): Step | undefined {
  const { open, served } = work
  const here = { server: session.server, marker: account.marker }
  if (served.withoutMarker !== 'version') {
    const detail = missingGrant(account.markerRight?.grant ?? '')
    return end({ outcome: 'failed', reason: 'missing_right' }, { ...here, detail })
  }
  const { last } = open
  if (last === null) return undefined
  if (last.marker !== null && account.marker === undefined) {
    const detail = 'the previous request left a marker, and it cannot be read'
    return end({ outcome: 'failed', reason: 'marker_unreadable' }, { ...here, detail })
  }
  // No marker will ever say that an unmarked write has arrived here: the request waits, and expires.
  const gone = goneServers()
  if (gone.has(last.server)) return undefined
  const isElsewhere = last.server !== session.server
  if (isElsewhere && (last.marker === null || !isPreviousVisible(last, session.server, account.marker, gone)))
    return wait(REPLICATION_LOOK_MS)
  return last.settled ? undefined : findQuarantine(work, `${open.requestId} last`)
}
