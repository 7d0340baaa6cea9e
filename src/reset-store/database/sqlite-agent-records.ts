// Agents, enrolment codes and seen calls in SQLite.
import type { DatabaseSync } from 'node:sqlite'
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

const agentOf = (row: AgentRow, sealingKeys: readonly SealingKeyRecord[], parse: Parse): AgentRecord => ({
  id: row.id,
  name: row.name,
  identityKey: parse(row.id, row.identity_key) as AgentRecord['identityKey'],
  sealingKeys,
  directories: parse(row.id, row.directories) as AgentRecord['directories'],
  enrolledAt: row.enrolled_at,
  lastSeenAt: row.last_seen_at,
  revokedAt: row.revoked_at,
  heartbeat:
    row.heartbeat === null ? null : (parse(row.id, row.heartbeat) as NonNullable<AgentRecord['heartbeat']>),
})

/** Parses a column of an agent's row. */
type Parse = (agent: string, text: string) => unknown

// Every call of an agent reads its row, and next to none changes it.
const MOST_PARSED = 16
function createParse(): Parse {
  const parsed = new Map<string, Map<string, unknown>>()
  return (agent, text) => {
    const known = parsed.get(agent) ?? new Map<string, unknown>()
    if (known.has(text)) return known.get(text)
    const value: unknown = JSON.parse(text)
    if (known.size >= MOST_PARSED) known.clear()
    parsed.set(agent, known.set(text, value))
    return value
  }
}

/** Prepares the statements once and gives the methods over them. */
export function createAgentRecords(database: DatabaseSync): AgentRecords {
  return { ...agentMethods(database), ...callMethods(database), ...codeMethods(database) }
}

function agentMethods(
  database: DatabaseSync,
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
  const find = database.prepare('SELECT * FROM agents WHERE id = ?')
  const keysOf = database.prepare('SELECT kid, statement FROM sealing_keys WHERE agent = ? ORDER BY place')
  const list = database.prepare('SELECT * FROM agents ORDER BY enrolled_at, id')
  const revoke = database.prepare('UPDATE agents SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL')
  const lapse = database.prepare(
    "UPDATE requests SET lease_until = ? WHERE lease_agent = ? AND state = 'open' AND lease_until > ?",
  )
  const heartbeat = database.prepare('UPDATE agents SET heartbeat = ? WHERE id = ?')
  const parse = createParse()
  const complete = (row: AgentRow) => agentOf(row, keysOf.all(row.id) as unknown as SealingKeyRecord[], parse)
  const addKeys = (id: string, keys: readonly SealingKeyRecord[]) => {
    for (const [place, { kid, statement }] of keys.entries()) addKey.run(id, kid, statement, place)
  }
  return {
    addAgent: async (agent) => {
      const { id, name, identityKey, directories, enrolledAt, lastSeenAt } = agent
      add.run(id, name, JSON.stringify(identityKey), JSON.stringify(directories), enrolledAt, lastSeenAt)
      addKeys(id, agent.sealingKeys)
    },
    findAgent: async (id) => {
      const row = find.get(id) as unknown as AgentRow | undefined
      return row && complete(row)
    },
    listAgents: async () => (list.all() as unknown as AgentRow[]).map(complete),
    revokeAgent: async (id, at) => {
      revoke.run(at, id)
      lapse.run(at, id, at)
    },
    replaceSealingKeys: async (id, keys) => {
      dropKeys.run(id)
      addKeys(id, keys)
    },
    recordHeartbeat: async (id, beat) => void heartbeat.run(JSON.stringify(beat), id),
  }
}

function callMethods(
  database: DatabaseSync,
): Pick<AgentRecords, 'rememberCall' | 'listCalls' | 'forgetCalls'> {
  const remember = database.prepare('INSERT INTO seen_calls (jti, expires_at) VALUES (?, ?)')
  const seen = database.prepare('UPDATE agents SET last_seen_at = ? WHERE id = ?')
  const list = database.prepare('SELECT jti, expires_at FROM seen_calls WHERE expires_at > ?')
  const forget = database.prepare('DELETE FROM seen_calls WHERE expires_at <= ?')
  return {
    rememberCall: async ({ jti, expiresAt, agent, at }) => {
      remember.run(jti, expiresAt)
      seen.run(at, agent)
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
