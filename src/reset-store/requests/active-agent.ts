// Every rule that serves an agent looks again whether it still may: revocation takes effect at once.
import type { AgentRecord, Transaction } from '../database/repository.ts'
import { CallRefused } from './call-refused.ts'

/** Reads an agent that is enrolled and not revoked. Throws CallRefused `credential_refused`. */
export async function requireActive(records: Transaction, id: string): Promise<AgentRecord> {
  const agent = await records.findAgent(id)
  if (!agent || agent.revokedAt !== null) throw new CallRefused('credential_refused')
  return agent
}
