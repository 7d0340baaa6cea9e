// Users, administrators, published policies and single facts in SQLite.
import type { DatabaseSync } from 'node:sqlite'
import type { OnUndone } from './group-commit.ts'
import type { PoliciesRecord, StoreRecords, UserRecord } from './repository.ts'

type Row = Record<string, string>

interface UserRow {
  readonly name: string
  readonly display_name: string
  readonly directory: string
  readonly anchor: string
  readonly object_guid: string | null
}

interface PoliciesRow {
  readonly directory: string
  readonly agent: string
  readonly published_at: number
  readonly policies: string
}

const userOf = (row: UserRow): UserRecord => ({
  name: row.name,
  displayName: row.display_name,
  directory: row.directory,
  anchor: row.anchor,
  objectGuid: row.object_guid,
})

const policiesOf = (row: PoliciesRow): PoliciesRecord => ({
  directory: row.directory,
  agent: row.agent,
  publishedAt: row.published_at,
  policies: JSON.parse(row.policies),
})

/** Prepares the statements once and gives the methods over them. */
export function createStoreRecords(database: DatabaseSync, onUndone: OnUndone): StoreRecords {
  return { ...factMethods(database, onUndone), ...userMethods(database), ...policyMethods(database) }
}

function factMethods(
  database: DatabaseSync,
  onUndone: OnUndone,
): Pick<StoreRecords, 'readFact' | 'writeFact' | 'addAdministrator' | 'listAdministrators'> {
  const readFact = database.prepare('SELECT value FROM facts WHERE name = ?')
  const writeFact = database.prepare(
    'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  )
  // Two of them are asked for with every claim.
  const known = new Map<string, string | undefined>()
  onUndone(() => known.clear())
  const addAdministrator = database.prepare('INSERT INTO administrators (name, token_digest) VALUES (?, ?)')
  const listAdministrators = database.prepare('SELECT name, token_digest FROM administrators')
  return {
    readFact: async (name) => {
      if (!known.has(name)) known.set(name, (readFact.get(name) as Row | undefined)?.['value'])
      return known.get(name)
    },
    writeFact: async (name, value) => {
      writeFact.run(name, value)
      known.set(name, value)
    },
    addAdministrator: async (name, tokenDigest) => void addAdministrator.run(name, tokenDigest),
    listAdministrators: async () =>
      (listAdministrators.all() as Row[]).map((row) => ({
        name: row['name'] ?? '',
        tokenDigest: row['token_digest'] ?? '',
      })),
  }
}

function userMethods(
  database: DatabaseSync,
): Pick<StoreRecords, 'addUser' | 'findUser' | 'findUserByName' | 'pinUser' | 'listUsers'> {
  const addUser = database.prepare(
    'INSERT INTO users (name, display_name, directory, anchor) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const findUser = database.prepare('SELECT * FROM users WHERE directory = ? AND anchor = ?')
  const findByName = database.prepare('SELECT * FROM users WHERE name = ?')
  const pin = database.prepare(
    `UPDATE users SET object_guid = :objectGuid, pin_asked_at = :askedAt
       WHERE directory = :directory AND anchor = :anchor AND pin_asked_at <= :askedAt`,
  )
  const listUsers = database.prepare('SELECT * FROM users WHERE name > ? ORDER BY name LIMIT ?')
  return {
    addUser: async (user) =>
      addUser.run(user.name, user.displayName, user.directory, user.anchor).changes === 1,
    findUser: async (directory, anchor) => {
      const row = findUser.get(directory, anchor) as UserRow | undefined
      return row && userOf(row)
    },
    findUserByName: async (name) => {
      const row = findByName.get(name) as UserRow | undefined
      return row && userOf(row)
    },
    pinUser: async (directory, anchor, { objectGuid, askedAt }) =>
      pin.run({ objectGuid, askedAt, directory, anchor }).changes === 1,
    listUsers: async (after, most) => (listUsers.all(after, most) as unknown as UserRow[]).map(userOf),
  }
}

function policyMethods(database: DatabaseSync): Pick<StoreRecords, 'writePolicies' | 'readPolicies'> {
  const write = database.prepare(
    `INSERT INTO policies (directory, agent, published_at, policies) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET agent = excluded.agent, published_at = excluded.published_at, policies = excluded.policies`,
  )
  const read = database.prepare('SELECT * FROM policies WHERE directory = ?')
  return {
    writePolicies: async ({ directory, agent, publishedAt, policies }) =>
      void write.run(directory, agent, publishedAt, JSON.stringify(policies)),
    readPolicies: async (directory) => {
      const row = read.get(directory) as unknown as PoliciesRow | undefined
      return row && policiesOf(row)
    },
  }
}
