// The repository over SQLite (node:sqlite): one connection, transactions in groups.
import { createGroupCommit } from './group-commit.ts'
import { openDatabase } from './open-database.ts'
import type { Repository, Transaction } from './repository.ts'
import { createAgentRecords } from './sqlite-agent-records.ts'
import { createRequestRecords } from './sqlite-request-records.ts'
import { createStoreRecords } from './sqlite-store-records.ts'

/** Opens the repository in one database file. Throws ERR_DATABASE_UNUSABLE. */
export function openSqliteRepository(path: string): Repository {
  const database = openDatabase(path)
  const group = createGroupCommit(database)
  const records: Transaction = {
    ...createStoreRecords(database),
    ...createAgentRecords(database),
    ...createRequestRecords(database),
  }
  return {
    transaction: (work) => group.run(() => work(records)),
    close: async () => {
      await group.idle()
      database.close()
    },
  }
}
