// How a request ends when the marker is there but cannot be read: without it nothing can be written once and proven.
import type { WriterSession } from '../directory/directory.ts'
import { end, type Step } from './step.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

/** Raises the condition and ends the request: `unknown` after a lost answer, else `failed`, `marker_unreadable`. */
export function endHidden(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  doubt: 'unknown' | 'nothing written',
): Step {
  const detail = 'the marker attribute reads absent, and adding one is refused'
  parts.conditions.raise('missing_right', work.document.directory, detail)
  return doubt === 'unknown'
    ? end({ outcome: 'unknown' }, { server: session.server, detail })
    : end({ outcome: 'failed', reason: 'marker_unreadable' }, { server: session.server, detail })
}
