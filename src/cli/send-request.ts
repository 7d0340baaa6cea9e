// Asks the store for one operation on one user's account; passwords are sealed to the agents in this process.
import { WritebackError } from '../errors/writeback-error.ts'
import type { User } from '../protocol/administration-calls.ts'
import type { Operation } from '../protocol/identifiers.ts'
import { sealToAgents } from '../protocol/seal-to-agents.ts'
import { passwordCount } from '../protocol/sealed-password.ts'
import type { CreateRequestAnswer, CreateRequestCall } from '../protocol/sealer-calls.ts'
import type { CallStore } from './store-api.ts'
import { StoreRefusal } from './store-refusal.ts'

/** What is asked for, beside the passwords. */
export interface Asked {
  readonly user: User
  readonly operation: Operation
  readonly options: CreateRequestCall['options']
  readonly actor: NonNullable<CreateRequestCall['actor']>
}

/** Finds a user by the exact name. Throws ERR_STORE_REJECTED. */
export async function findUser(callStore: CallStore, name: string): Promise<User> {
  const { users } = await callStore('listUsers', { query: { name } })
  const user = users.find((one) => one.name === name)
  if (!user) throw new StoreRefusal('user_not_found', `the store has no user ${name}`)
  return user
}

/**
 * Begins the request and hands the sealed passwords in, where it takes any. The caller wipes them. Throws as CallStore,
 * ERR_STORE_ANSWER_INVALID when the store began something else, ERR_SIGNATURE_INVALID for a key nobody vouches for.
 */
export async function sendRequest(
  callStore: CallStore,
  asked: Asked,
  passwords: readonly Buffer[],
): Promise<CreateRequestAnswer> {
  const { user, operation, options, actor } = asked
  const { directory, anchor } = user
  const body: CreateRequestCall = { directory, operation, options, actor }
  const created = await callStore('createRequest', { body, parameters: { anchor } })
  requireAskedFor(created, asked)
  if (passwordCount(operation) > 0)
    await callStore('seal', {
      body: await sealToAgents(created, passwords),
      parameters: { id: created.request },
    })
  return created
}

// The sealed value binds these fields; a store that answers for someone else must not get it.
function requireAskedFor(created: CreateRequestAnswer, { user, operation }: Asked): void {
  if (
    created.anchor !== user.anchor ||
    created.directory !== user.directory ||
    created.operation !== operation ||
    created.agents.length > 0 !== passwordCount(operation) > 0
  )
    throw new WritebackError('ERR_STORE_ANSWER_INVALID', 'the store began another request than was asked for')
}
