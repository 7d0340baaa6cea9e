// A request begins: who it is for, who asks, until when, and to whom a password may be sealed.
import { newId } from '../../protocol/identifiers.ts'
import type { Actor } from '../../protocol/request-document.ts'
import type { CreateRequestAnswer, CreateRequestCall } from '../../protocol/sealer-calls.ts'
import type { AgentRecord, NewRequest, Transaction, UserRecord } from '../database/repository.ts'
import { CallRefused } from './call-refused.ts'
import { inTime } from './close-overdue.ts'
import { issueRequest } from './issue-request.ts'
import { OPERATIONS } from './operations.ts'
import { SILENT_AFTER_MS, type StoreContext } from './store-context.ts'

// They are carried out one after the other; nobody waits for more.
const MOST_WRITING = 32

/**
 * Begins a request for the user with this anchor; where nothing is sealed it is on its way with the answer. Throws
 * CallRefused: `user_not_found`, `body_invalid` for options that the operation does not have, `no_agent` when no agent
 * of the directory made a call within two minutes, `too_many_requests` when 32 writing requests of the user are open,
 * or as many wait for their sealed password.
 */
export async function createRequest(
  context: StoreContext,
  creator: string,
  anchor: string,
  call: CreateRequestCall,
): Promise<CreateRequestAnswer> {
  const { directory, operation } = call
  const { isSealed, isOrdered, completeOptions } = OPERATIONS[operation]
  const options = completeOptions(call.options)
  const { request, agents } = await inTime(context, async (records, now) => {
    const user = await records.findUser(directory, anchor)
    if (!user) throw new CallRefused('user_not_found')
    const agents = (await records.listAgents()).filter((agent) => isServing(agent, directory, now))
    if (agents.length === 0) throw new CallRefused('no_agent')
    // Those that were never sealed are counted by themselves: they keep no other one from its turn.
    for (const state of isOrdered ? (['open', 'unsealed'] as const) : [])
      if ((await records.countWriting(directory, anchor, state)) >= MOST_WRITING)
        throw new CallRefused(
          'too_many_requests',
          `${MOST_WRITING} requests of this account ${state === 'open' ? 'have not ended' : 'are not sealed'} yet`,
        )
    const request: NewRequest = {
      ...begin(context, user, call, creator, now),
      ...{ options, offeredKeys: isSealed ? agents.flatMap(keysOf) : [] },
    }
    await records.addRequest(request)
    return { request, agents: isSealed ? agents.flatMap(keysToSealTo) : [] }
  })
  if (!isSealed) await issueRequest(context, (records) => find(records, request.id))
  return { request: request.id, directory, operation, anchor, expiresAt: request.expiresAt, agents }
}

/** True for an agent that is not revoked, serves the directory, and made a call within two minutes. */
export const isServing = (agent: AgentRecord, directory: string, now: number): boolean =>
  agent.revokedAt === null &&
  agent.directories.includes(directory) &&
  agent.lastSeenAt !== null &&
  now - agent.lastSeenAt <= SILENT_AFTER_MS

// One recipient an agent: its newest key. The older ones are for requests that were begun before.
const newestKeyOf = ({ sealingKeys }: AgentRecord) => sealingKeys.slice(-1)
const keysOf = (agent: AgentRecord): string[] => newestKeyOf(agent).map(({ kid }) => kid)

const keysToSealTo = (agent: AgentRecord): CreateRequestAnswer['agents'] =>
  newestKeyOf(agent).map(({ statement }) => ({
    agent: agent.name,
    identityKey: agent.identityKey,
    sealingKey: statement,
  }))

async function find(records: Transaction, id: string) {
  const request = await records.findRequest(id)
  if (request?.state !== 'unsealed') throw new CallRefused('request_closed')
  return { request }
}

function begin(
  context: StoreContext,
  user: UserRecord,
  { operation, actor }: CreateRequestCall,
  creator: string,
  now: number,
): Omit<NewRequest, 'options' | 'offeredKeys'> {
  const id = newId()
  const { directory, anchor, displayName } = user
  return {
    ...{ id, directory, anchor, displayName, operation, creator, createdAt: now },
    actor: { ...actorOf(actor, user, creator), audit: `request ${id}` },
    expiresAt: now + context.requestLifetimeMs,
  }
}

// Of a user the store knows the name, and nothing of how they proved who they are.
function actorOf(asked: CreateRequestCall['actor'], user: UserRecord, creator: string): Omit<Actor, 'audit'> {
  const { kind = 'administrator', name, methods } = asked ?? {}
  return kind === 'self'
    ? { kind, name: name ?? user.name, methods: methods ?? [] }
    : { kind, name: name ?? creator, methods: methods ?? ['token'] }
}
