// Users, administrators and single facts in SQLite.
import type { DatabaseSync } from 'node:sqlite'
import type { StoreRecords, UserRecord } from './repository.ts'

type Row = Record<string, string>

const userOf = (row: Row): UserRecord => ({
  name: row['name'] ?? '',
  displayName: row['display_name'] ?? '',
  directory: row['directory'] ?? '',
  anchor: row['anchor'] ?? '',
})

/** Prepares the statements once and gives the methods over them. */
export function createStoreRecords(database: DatabaseSync): StoreRecords {
  const readFact = database.prepare('SELECT value FROM facts WHERE name = ?')
  const writeFact = database.prepare(
    'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  )
  const addAdministrator = database.prepare('INSERT INTO administrators (name, token_digest) VALUES (?, ?)')
  const listAdministrators = database.prepare('SELECT name, token_digest FROM administrators')
  const addUser = database.prepare(
    'INSERT INTO users (name, display_name, directory, anchor) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const findUser = database.prepare('SELECT * FROM users WHERE directory = ? AND anchor = ?')
  const findByName = database.prepare('SELECT * FROM users WHERE name = ?')
  const listUsers = database.prepare('SELECT * FROM users WHERE name > ? ORDER BY name LIMIT ?')
  return {
    readFact: async (name) => (readFact.get(name) as Row | undefined)?.['value'],
    writeFact: async (name, value) => void writeFact.run(name, value),
    addAdministrator: async (name, tokenDigest) => void addAdministrator.run(name, tokenDigest),
    listAdministrators: async () =>
      (listAdministrators.all() as Row[]).map((row) => ({
        name: row['name'] ?? '',
        tokenDigest: row['token_digest'] ?? '',
      })),
    addUser: async (user) =>
      addUser.run(user.name, user.displayName, user.directory, user.anchor).changes === 1,
    findUser: async (directory, anchor) => {
      const row = findUser.get(directory, anchor) as Row | undefined
      return row && userOf(row)
    },
    findUserByName: async (name) => {
      const row = findByName.get(name) as Row | undefined
      return row && userOf(row)
    },
    listUsers: async (after, most) => (listUsers.all(after, most) as Row[]).map(userOf),
  }
}
