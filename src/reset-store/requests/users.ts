// Users of the store: a person's name and the account it is linked to.
import type { User } from '../../protocol/administration-calls.ts'
import { CallRefused } from './call-refused.ts'
import type { StoreContext } from './store-context.ts'

/** Links a user to an account. Throws CallRefused `user_exists`. */
export async function addUser(context: StoreContext, user: User): Promise<User> {
  const isAdded = await context.repository.transaction((records) => records.addUser(user))
  if (!isAdded) throw new CallRefused('user_exists')
  context.log.info('user added', { directory: user.directory, anchor: user.anchor })
  return user
}

/** All users, by name. */
export const listUsers = async (context: StoreContext): Promise<{ users: User[] }> => ({
  users: [...(await context.repository.transaction((records) => records.listUsers()))],
})
