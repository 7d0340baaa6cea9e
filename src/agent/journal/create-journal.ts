// The journal: what this agent promised, in one SQLite file that belongs to one process.
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { createLogSync, type LogSync, NO_LOG } from '../../disk/log-sync.ts'
import { createAttempts } from './attempts.ts'
import { type AuditOutbox, createAuditOutbox } from './audit-outbox.ts'
import { createDocuments } from './documents.ts'
import type { Journal } from './journal.ts'
import { createJournalDurability } from './journal-durability.ts'
import { openDatabase } from './open-database.ts'
import { createOutcomes } from './outcomes.ts'
import { guarded, synced, transaction } from './transaction.ts'

/**
 * Opens the journal in `directory`, which it makes when missing.
 * Throws ERR_JOURNAL_IN_USE when another process uses it, ERR_JOURNAL_UNUSABLE when the file, the disk or its
 * version does not serve.
 */
export function createJournal(directory: string): Journal {
  return createJournalOn(openDatabase(directory), createLogSync(join(directory, 'journal.sqlite-wal')))
}

/**
 * The journal on a database that is open and up to date; `log` puts it on the disk. Closing the journal closes both. Throws
 * ERR_JOURNAL_UNUSABLE.
 */
export function createJournalOn(db: DatabaseSync, log: LogSync = NO_LOG): Journal {
  return guarded('prepare the journal', () => {
    const outbox = createAuditOutbox(db)
    const { auditEntries, auditAppended, auditTaken, auditResume, auditSettle } = outbox
    return {
      ...createDocuments(db),
      ...createAttempts(db, outbox),
      ...createOutcomes(db, outbox),
      ...{ auditEntries, auditAppended, auditTaken, auditResume, auditSettle },
      ...createJournalDurability(db, log, outbox.atCommit),
      ...settings(db, outbox),
      close: () => {
        log.close()
        if (db.isOpen) db.close()
      },
    }
  })
}

function settings(db: DatabaseSync, outbox: AuditOutbox): Pick<Journal, 'get' | 'set' | 'operate'> {
  const read = db.prepare('SELECT value FROM settings WHERE key = ?')
  const write = db.prepare('INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)')
  const forget = db.prepare('DELETE FROM settings WHERE key = ?')
  const set = (key: string, value: string | undefined) =>
    void (value === undefined ? forget.run(key) : write.run(key, value))
  return {
    operate: (told, setting) => {
      synced(db, () =>
        transaction(db, 'journal what an operator did', () => {
          if (setting) set(setting.key, setting.value)
          outbox.put(told)
        }),
      )
      outbox.atCommit()()
    },
    get: (key) => guarded('read a setting', () => read.get(key)?.['value']?.toString()),
    set: (key, value) => guarded('journal a setting', () => synced(db, () => set(key, value))),
  }
}
