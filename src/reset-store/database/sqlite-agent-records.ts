// Agents, enrolment codes and seen calls in SQLite.
import type { DatabaseSync } from 'node:sqlite'
import type { OnUndone } from './group-commit.ts'
import type { AgentRecord, AgentRecords, EnrolmentCodeRecord, SealingKeyRecord } from './repository.ts'

interface AgentRow {
  readonly id: string
  readonly name: string
  readonly identity_key: string
  readonly directories: string
  readonly enrolled_at: number
  readonly last_seen_at: number | null
  readonly revoked_at: number | null
  readonly heartbeat: string | null
}

interface CodeRow {
  readonly lookup: string
  readonly hash: string
  readonly directories: string
  readonly expires_at: number
  readonly used_by: string | null
}

const agentOf = (row: AgentRow, sealingKeys: readonly SealingKeyRecord[]): AgentRecord => ({
  id: row.id,
  name: row.name,
  identityKey: JSON.parse(row.identity_key),
  sealingKeys,
  directories: JSON.parse(row.directories),
  enrolledAt: row.enrolled_at,
  lastSeenAt: row.last_seen_at,
  revokedAt: row.revoked_at,
  heartbeat: row.heartbeat === null ? null : JSON.parse(row.heartbeat),
})

/** Prepares the statements once and gives the methods over them. */
export function createAgentRecords(database: DatabaseSync, onUndone: OnUndone): AgentRecords {
  const known = createKnownAgents(database, onUndone)
  return { ...agentMethods(database, known), ...callMethods(database, known), ...codeMethods(database) }
}

/** The agents as the database has them. */
interface KnownAgents {
  /** In the order in which they enrolled. */
  readonly all: () => ReadonlyMap<string, AgentRecord>
  /** Notes that one was seen. */
  readonly seen: (id: string, at: number) => void
  /** Looks at the database again: at one agent, at all of them without an id. */
  readonly changed: (id?: string) => void
}

// Every call of an agent asks for it, and next to none changes it.
function createKnownAgents(database: DatabaseSync, onUndone: OnUndone): KnownAgents {
  const find = database.prepare('SELECT * FROM agents WHERE id = ?')
  const list = database.prepare('SELECT * FROM agents ORDER BY enrolled_at, id')
  const keysOf = database.prepare('SELECT kid, statement FROM sealing_keys WHERE agent = ? ORDER BY place')
  const complete = (row: unknown): AgentRecord => {
    const agent = row as AgentRow
    return agentOf(agent, keysOf.all(agent.id) as unknown as SealingKeyRecord[])
  }
  let known: Map<string, AgentRecord> | undefined
  const forget = () => {
    known = undefined
  }
  onUndone(forget)
  return {
    all: () => {
      known ??= new Map(list.all().map((row) => [String(row['id']), complete(row)]))
      return known
    },
    seen: (id, at) => {
      const agent = known?.get(id)
      if (agent) known?.set(id, { ...agent, lastSeenAt: at })
    },
    changed: (id) => {
      const row = id === undefined ? undefined : find.get(id)
      if (row === undefined) forget()
      else known?.set(String(row['id']), complete(row))
    },
  }
}

function agentMethods(
  database: DatabaseSync,
  known: KnownAgents,
): Pick<
  AgentRecords,
  'addAgent' | 'findAgent' | 'listAgents' | 'revokeAgent' | 'replaceSealingKeys' | 'recordHeartbeat'
> {
  const add = database.prepare(
    'INSERT INTO agents (id, name, identity_key, directories, enrolled_at, last_seen_at) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const addKey = database.prepare(
    'INSERT INTO sealing_keys (agent, kid, statement, place) VALUES (?, ?, ?, ?)',
  )
  const dropKeys = database.prepare('DELETE FROM sealing_keys WHERE agent = ?')
  const revoke = database.prepare('UPDATE agents SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL')
  const lapse = database.prepare(
    "UPDATE requests SET lease_until = ? WHERE lease_agent = ? AND state = 'open' AND lease_until > ?",
  )
  const heartbeat = database.prepare('UPDATE agents SET heartbeat = ? WHERE id = ?')
  const addKeys = (id: string, keys: readonly SealingKeyRecord[]) => {
    for (const [place, { kid, statement }] of keys.entries()) addKey.run(id, kid, statement, place)
  }
  return {
    addAgent: async (agent) => {
      const { id, name, identityKey, directories, enrolledAt, lastSeenAt } = agent
      add.run(id, name, JSON.stringify(identityKey), JSON.stringify(directories), enrolledAt, lastSeenAt)
      addKeys(id, agent.sealingKeys)
      known.changed()
    },
    findAgent: async (id) => known.all().get(id),
    listAgents: async () => [...known.all().values()],
    revokeAgent: async (id, at) => {
      revoke.run(at, id)
      lapse.run(at, id, at)
      known.changed(id)
    },
    replaceSealingKeys: async (id, keys) => {
      dropKeys.run(id)
      addKeys(id, keys)
      known.changed(id)
    },
    recordHeartbeat: async (id, beat) => {
      heartbeat.run(JSON.stringify(beat), id)
      known.changed(id)
    },
  }
}

function callMethods(
  database: DatabaseSync,
  known: KnownAgents,
): Pick<AgentRecords, 'rememberCall' | 'listCalls' | 'forgetCalls'> {
  const remember = database.prepare('INSERT INTO seen_calls (jti, expires_at) VALUES (?, ?)')
  const seen = database.prepare('UPDATE agents SET last_seen_at = ? WHERE id = ?')
  const list = database.prepare('SELECT jti, expires_at FROM seen_calls WHERE expires_at > ?')
  const forget = database.prepare('DELETE FROM seen_calls WHERE expires_at <= ?')
  return {
    rememberCall: async ({ jti, expiresAt, agent, at }) => {
      remember.run(jti, expiresAt)
      seen.run(at, agent)
      known.seen(agent, at)
    },
    listCalls: async (now) =>
      (list.all(now) as unknown as { jti: string; expires_at: number }[]).map((row) => ({
        jti: row.jti,
        expiresAt: row.expires_at,
      })),
    forgetCalls: async (now) => void forget.run(now),
  }
}

function codeMethods(
  database: DatabaseSync,
): Pick<
  AgentRecords,
  'addEnrolmentCode' | 'findEnrolmentCode' | 'useEnrolmentCode' | 'forgetEnrolmentCodes'
> {
  const add = database.prepare(
    'INSERT INTO enrolment_codes (lookup, hash, directories, expires_at) VALUES (?, ?, ?, ?)',
  )
  const find = database.prepare('SELECT * FROM enrolment_codes WHERE lookup = ?')
  const use = database.prepare('UPDATE enrolment_codes SET used_by = ? WHERE lookup = ? AND used_by IS NULL')
  const forget = database.prepare('DELETE FROM enrolment_codes WHERE expires_at <= ?')
  return {
    forgetEnrolmentCodes: async (now) => void forget.run(now),
    addEnrolmentCode: async (code) =>
      void add.run(code.lookup, code.hash, JSON.stringify(code.directories), code.expiresAt),
    findEnrolmentCode: async (lookup) => {
      const row = find.get(lookup) as unknown as CodeRow | undefined
      return row && codeOf(row)
    },
    useEnrolmentCode: async (lookup, agent) => use.run(agent, lookup).changes === 1,
  }
}

const codeOf = (row: CodeRow): EnrolmentCodeRecord => ({
  lookup: row.lookup,
  hash: row.hash,
  directories: JSON.parse(row.directories),
  expiresAt: row.expires_at,
  usedBy: row.used_by,
})
