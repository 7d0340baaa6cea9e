// Says when requests, or outcomes on their way to the store, wait longer than they should.
import type { AgentBase } from './agent-base.ts'

// A request lives five minutes by default: somebody who looks now can still help.
const LONG_WAIT_MS = 120_000
// An answered store confirms an outcome within a second; several tries have failed by then.
const LONG_DELIVERY_MS = 60_000

/** Looks at the journal once. Called on the clock. */
export function watchBacklog({
  journal,
  conditions,
  storeTime,
  directories,
}: Pick<AgentBase, 'journal' | 'conditions' | 'storeTime' | 'directories'>): void {
  const now = storeTime.nowMs()
  const open = Map.groupBy(journal.open(), ({ directory }) => directory)
  for (const name of directories.keys()) {
    // The sequence of a request is the store's time when it was issued; an inspection has none.
    const issued = (open.get(name) ?? []).flatMap(({ sequence }) => (sequence > 0 ? sequence : []))
    const waitedMs = now - Math.min(now, ...issued)
    const detail = `${issued.length} open, the oldest for ${Math.round(waitedMs / 1000)} s`
    if (waitedMs > LONG_WAIT_MS) conditions.raise('requests_waiting', name, detail)
    else conditions.clear('requests_waiting', name)
  }
  const { undelivered, oldestUndeliveredAt = now } = journal.counts()
  const undeliveredMs = now - oldestUndeliveredAt
  const detail = `${undelivered} not confirmed, the oldest for ${Math.round(undeliveredMs / 1000)} s`
  if (undeliveredMs > LONG_DELIVERY_MS) conditions.raise('outcomes_waiting', '', detail)
  else conditions.clear('outcomes_waiting', '')
}
