// Users of the store: a person's name and the account it is linked to.
import type { NewUser, User } from '../../protocol/administration-calls.ts'
import { CallRefused } from './call-refused.ts'
import type { StoreContext } from './store-context.ts'

/** Links a user to an account. Throws CallRefused `user_exists`. */
export async function addUser(context: StoreContext, user: NewUser): Promise<User> {
  const isAdded = await context.repository.transaction((records) => records.addUser(user))
  if (!isAdded) throw new CallRefused('user_exists')
  context.log.info('user added', { directory: user.directory, anchor: user.anchor })
  return { ...user, objectGuid: null }
}

const MOST_LISTED = 1000
// Names may be long; an answer must stay below the 1 MiB that callers read.
const MOST_BYTES = 700_000

/** The user of a name, or the users that come after one: as many as fit into one answer. */
export async function listUsers(
  context: StoreContext,
  wish: { readonly name?: string | undefined; readonly after?: string | undefined },
): Promise<{ users: User[] }> {
  const { name, after = '' } = wish
  const found = await context.repository.transaction(async (records) => {
    if (name === undefined) return records.listUsers(after, MOST_LISTED)
    const user = await records.findUserByName(name)
    return user ? [user] : []
  })
  let bytes = 0
  const isWithin = (user: User) => {
    bytes += Buffer.byteLength(JSON.stringify(user))
    return bytes <= MOST_BYTES
  }
  return { users: found.filter(isWithin) }
}
