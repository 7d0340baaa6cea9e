// The agents' own words: what each wrote down in its journal, read when the agent has ended.
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { AuditEvent } from './event.ts'
import type { Recorder } from './record-run.ts'

/** An agent that has ended. */
export interface JournaledAgent {
  readonly id: string
  readonly stateDirectory: string
}

/** Records the intents and outcomes of one agent. */
export function recordJournal({ id, stateDirectory }: JournaledAgent, recorder: Recorder): void {
  const database = new DatabaseSync(path.join(stateDirectory, 'journal.sqlite'))
  try {
    const rows = (sql: string) => database.prepare(sql).all() as Record<string, unknown>[]
    const own = (row: Record<string, unknown>, at: unknown) => ({
      at: recorder.atWall(Number(at)),
      observer: 'audit' as const,
      agent: id,
      request: String(row['request_id']),
    })
    for (const row of rows('SELECT * FROM intents ORDER BY started_at_ms'))
      recorder.add({
        ...own(row, row['started_at_ms']),
        kind: 'intent',
        n: Number(row['n']),
        effect: (row['kind'] === 'fence' ? 'fence' : row['effect']) as 'fence',
        server: String(row['server']),
        markerBefore: textOf(row['marker_before']),
        markerAfter: String(row['marker_after']),
        answer: textOf(row['answer']),
      } satisfies AuditEvent)
    for (const row of rows('SELECT * FROM requests WHERE outcome IS NOT NULL'))
      recorder.add({ ...own(row, row['finished_at_ms']), kind: 'outcome', outcome: String(row['outcome']) })
  } finally {
    database.close()
  }
}

const textOf = (value: unknown): string | null => (value === null ? null : String(value))
