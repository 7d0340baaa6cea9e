// When what the journal holds is on the disk.
import type { DatabaseSync } from 'node:sqlite'
import { createDurability } from '../../disk/durability.ts'
import type { LogSync } from '../../disk/log-sync.ts'
import type { Journal } from './journal.ts'
import { guarded, isDamaged, mend, noteDamage, unusable } from './transaction.ts'

/** Makes `durable` of the journal on this database; `atCommit` gives what to do when all that it holds now is on the disk. */
export function createJournalDurability(
  db: DatabaseSync,
  log: LogSync,
  atCommit: () => () => void,
): Pick<Journal, 'durable'> {
  const changes = db.prepare('SELECT total_changes() AS number')
  const wait = createDurability({
    ...{ log, atCommit },
    count: () => guarded('count the changes', () => Number(changes.get()?.['number'])),
    // Shared with the steps that wait for the disk themselves.
    damage: { isNoted: () => isDamaged(db), note: () => noteDamage(db), mend: () => mend(db) },
  })
  return {
    durable: async () => {
      try {
        await wait()
      } catch (cause) {
        throw unusable('the journal cannot be put on the disk', cause)
      }
    },
  }
}
