// The repository over SQLite (node:sqlite): one connection, transactions in groups.
import type { DatabaseSync } from 'node:sqlite'
import { createLogSync, type LogSync, NO_LOG } from '../../disk/log-sync.ts'
import { createGroupCommit } from './group-commit.ts'
import { openDatabase } from './open-database.ts'
import type { Repository, Transaction } from './repository.ts'
import { createAgentRecords } from './sqlite-agent-records.ts'
import { createRequestRecords } from './sqlite-request-records.ts'
import { createStoreRecords } from './sqlite-store-records.ts'

/** Opens the repository in one database file. Throws ERR_DATABASE_UNUSABLE. */
export function openSqliteRepository(path: string): Repository {
  return createSqliteRepository(openDatabase(path), createLogSync(`${path}-wal`))
}

/**
 * The repository over a database that is open and up to date; `log` puts it on the disk. Closing the repository closes both.
 * It remembers some of what it read, so nobody else may write to the database meanwhile.
 */
export function createSqliteRepository(database: DatabaseSync, log: LogSync = NO_LOG): Repository {
  const memories: (() => void)[] = []
  const onUndone = (forget: () => void) => void memories.push(forget)
  const records: Transaction = {
    ...createStoreRecords(database, onUndone),
    ...createAgentRecords(database, onUndone),
    ...createRequestRecords(database, onUndone),
  }
  const group = createGroupCommit(database, log, () => {
    for (const forget of memories) forget()
  })
  return {
    transaction: (work) => group.run(() => work(records)),
    close: async () => {
      await group.idle()
      log.close()
      database.close()
    },
  }
}
