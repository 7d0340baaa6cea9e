// How a row of `requests` becomes a record.
import type { OutcomeName } from '../../protocol/codes.ts'
import type { Operation } from '../../protocol/identifiers.ts'
import type { Closing, RequestRecord } from './repository.ts'

/** A row as SQLite gives it. */
export interface RequestRow {
  readonly id: string
  readonly directory: string
  readonly anchor: string
  readonly display_name: string
  readonly operation: Operation
  readonly options: string
  readonly actor: string
  readonly creator: string
  readonly created_at: number
  readonly expires_at: number
  readonly offered_keys: string
  readonly state: RequestRecord['state']
  readonly sealed_digest: string | null
  readonly sealed_at: number | null
  readonly sealed_keys: string | null
  readonly sequence: number | null
  readonly document: string | null
  readonly lease: number
  readonly lease_agent: string | null
  readonly lease_claim: string | null
  readonly lease_until: number
  readonly received: number
  readonly outcome: OutcomeName | null
  readonly outcome_agent: string | null
  readonly outcome_server: string | null
  readonly outcome_marker: string | null
  readonly reason: string | null
  readonly notices: string
  readonly detail: string | null
  readonly account: string | null
  readonly rule: string | null
  readonly policy: string | null
  readonly closed_at: number | null
  readonly replaced: number
}

/** Reads a row. */
export const requestOf = (row: RequestRow): RequestRecord => ({
  id: row.id,
  directory: row.directory,
  anchor: row.anchor,
  displayName: row.display_name,
  operation: row.operation,
  options: JSON.parse(row.options),
  actor: JSON.parse(row.actor),
  creator: row.creator,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  offeredKeys: JSON.parse(row.offered_keys),
  state: row.state,
  issue: issueOf(row),
  document: row.document,
  lease: { number: row.lease, agent: row.lease_agent, claim: row.lease_claim, until: row.lease_until },
  received: row.received === 1,
  closing: closingOf(row),
  replaced: row.replaced === 1,
})

function issueOf(row: RequestRow): RequestRecord['issue'] {
  const { sealed_digest: digest, sealed_at: at, sealed_keys: keys, sequence } = row
  if (at === null || keys === null) return null
  return { digest, at, keys: JSON.parse(keys), sequence }
}

const parsed = (json: string | null) => (json === null ? null : JSON.parse(json))

function closingOf(row: RequestRow): Closing | null {
  if (row.outcome === null || row.closed_at === null) return null
  return {
    outcome: row.outcome,
    agent: row.outcome_agent,
    server: row.outcome_server,
    marker: row.outcome_marker,
    reason: row.reason,
    notices: JSON.parse(row.notices),
    detail: row.detail,
    account: parsed(row.account),
    rule: parsed(row.rule),
    policy: parsed(row.policy),
    at: row.closed_at,
  }
}
