// A request begins: who it is for, until when, and to whom the password may be sealed.
import { newId } from '../../protocol/identifiers.ts'
import type { CreateRequestAnswer, CreateRequestCall } from '../../protocol/sealer-calls.ts'
import type { AgentRecord, NewRequest, UserRecord } from '../database/repository.ts'
import { CallRefused } from './call-refused.ts'
import { inTime } from './close-overdue.ts'
import { OPERATIONS } from './operations.ts'
import { SILENT_AFTER_MS, type StoreContext } from './store-context.ts'

/**
 * Begins a request for the user with this anchor. Throws CallRefused: `operation_unavailable`, `user_not_found`,
 * `no_agent` when no agent of the directory made a call within two minutes.
 */
export async function createRequest(
  context: StoreContext,
  creator: string,
  anchor: string,
  call: CreateRequestCall,
): Promise<CreateRequestAnswer> {
  const rules = OPERATIONS[call.operation]
  if (!rules.isAvailable) throw new CallRefused('operation_unavailable')
  const options = rules.completeOptions(call.options)
  return inTime(context, async (records, now) => {
    const user = await records.findUser(call.directory, anchor)
    if (!user) throw new CallRefused('user_not_found')
    const agents = (await records.listAgents()).filter((agent) => isServing(agent, call.directory, now))
    if (agents.length === 0) throw new CallRefused('no_agent')
    const request = newRequest(user, { creator, operation: call.operation, options, now, agents }, context)
    await records.addRequest(request)
    const { id, directory, operation, expiresAt } = request
    return { request: id, directory, operation, anchor, expiresAt, agents: agents.flatMap(keysToSealTo) }
  })
}

/** True for an agent that is not revoked, serves the directory, and made a call within two minutes. */
export const isServing = (agent: AgentRecord, directory: string, now: number): boolean =>
  agent.revokedAt === null &&
  agent.directories.includes(directory) &&
  agent.lastSeenAt !== null &&
  now - agent.lastSeenAt <= SILENT_AFTER_MS

const keysToSealTo = (agent: AgentRecord): CreateRequestAnswer['agents'] =>
  agent.sealingKeys.map(({ statement }) => ({
    agent: agent.name,
    identityKey: agent.identityKey,
    sealingKey: statement,
  }))

function newRequest(
  user: UserRecord,
  asked: Pick<NewRequest, 'creator' | 'operation' | 'options'> & {
    now: number
    agents: readonly AgentRecord[]
  },
  context: StoreContext,
): NewRequest {
  const id = newId()
  const { directory, anchor, displayName } = user
  const { creator, operation, options, now, agents } = asked
  return {
    ...{ id, directory, anchor, displayName, operation, options, creator, createdAt: now },
    actor: { kind: 'administrator', name: creator, methods: ['token'], audit: `request ${id}` },
    expiresAt: now + context.requestLifetimeMs,
    offeredKeys: agents.flatMap(({ sealingKeys }) => sealingKeys.map(({ kid }) => kid)),
  }
}
