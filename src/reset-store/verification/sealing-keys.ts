// The sealing keys of an agent after its enrolment: they replace those before, and the last one is sealed to.
import type { SealingKeysAnswer } from '../../protocol/agent-calls.ts'
import { verifySealingKey } from '../../protocol/sealing-key.ts'
import type { AgentRecord, SealingKeyRecord } from '../database/repository.ts'
import { requireActive } from '../requests/active-agent.ts'
import { CallRefused } from '../requests/call-refused.ts'
import type { StoreContext } from '../requests/store-context.ts'

/**
 * Takes the sealing keys that an agent holds, oldest first, and says which of them a request may still be sealed to. Throws
 * CallRefused `credential_refused`, and `body_invalid` for a key that the agent's identity does not vouch for, that is named
 * twice, or that another agent has.
 */
export async function publishSealingKeys(
  context: StoreContext,
  agentId: string,
  statements: readonly string[],
): Promise<SealingKeysAnswer> {
  const { identityKey } = await context.repository.transaction((records) => requireActive(records, agentId))
  const keys = await Promise.all(statements.map((statement) => readKey(statement, identityKey)))
  const kids = keys.map(({ kid }) => kid)
  if (new Set(kids).size !== kids.length)
    throw new CallRefused('body_invalid', 'a sealing key is named twice')
  const { isNew, needed } = await context.repository.transaction(async (records) => {
    const agent = await requireActive(records, agentId)
    requireUntaken(await records.listAgents(), kids, agentId)
    await records.replaceSealingKeys(agentId, keys)
    const isNew = agent.sealingKeys.at(-1)?.kid !== kids.at(-1)
    return { isNew, needed: await records.findNeededKeys(kids) }
  })
  if (isNew) context.log.info('sealing key changed', { agent: agentId, key: kids.at(-1) })
  return { storeTime: context.clock.wallMs(), needed: [...needed] }
}

async function readKey(
  statement: string,
  identityKey: AgentRecord['identityKey'],
): Promise<SealingKeyRecord> {
  try {
    const { kid } = await verifySealingKey(statement, identityKey)
    return { kid, statement }
  } catch (cause) {
    throw new CallRefused('body_invalid', cause instanceof Error ? cause.message : undefined, cause)
  }
}

/** Refuses the ids of keys that another agent has: a recipient is found by them. Throws CallRefused `body_invalid`. */
export function requireUntaken(agents: readonly AgentRecord[], kids: readonly string[], own?: string): void {
  const isTaken = agents.some(
    ({ id, revokedAt, sealingKeys }) =>
      id !== own && revokedAt === null && sealingKeys.some(({ kid }) => kids.includes(kid)),
  )
  if (isTaken) throw new CallRefused('body_invalid', 'another agent has a sealing key with this id')
}
