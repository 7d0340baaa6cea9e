// Domain controllers that an operator declared gone for good: nobody waits any more for what was sent there.
import { MOST_GONE_SERVERS } from '../../protocol/agent-calls.ts'
import { serverIdSchema } from '../../protocol/identifiers.ts'
import type { Transaction } from '../database/repository.ts'
import { CallRefused } from './call-refused.ts'
import { directoryKey } from './changes.ts'
import type { StoreContext } from './store-context.ts'

const FACT = 'gone_servers'

/** Their invocationIds. */
export async function listGone(records: Transaction): Promise<string[]> {
  const known = await records.readFact(FACT)
  return known === undefined ? [] : JSON.parse(known)
}

/**
 * Declares a server gone, or takes that back; agents hear of it with their next claim. Throws CallRefused `call_invalid`
 * for what is no invocationId, `too_many_requests` when too many are declared already.
 */
export async function declareServer(
  context: StoreContext,
  server: string,
  gone: boolean,
): Promise<{ servers: string[] }> {
  const id = serverIdSchema.safeParse(server)
  if (!id.success)
    throw new CallRefused('call_invalid', 'this is not the invocationId of a domain controller')
  const { servers, directories } = await context.repository.transaction(async (records) => {
    const others = (await listGone(records)).filter((known) => known !== id.data)
    const servers = gone ? [...others, id.data] : others
    if (servers.length > MOST_GONE_SERVERS)
      throw new CallRefused('too_many_requests', `more than ${MOST_GONE_SERVERS} servers are declared gone`)
    await records.writeFact(FACT, JSON.stringify(servers))
    return { servers, directories: (await records.listAgents()).flatMap((agent) => agent.directories) }
  })
  for (const directory of new Set(directories)) context.changes.announce(directoryKey(directory))
  context.log.warn(gone ? 'a server is declared gone' : 'a server is no longer declared gone', { server })
  return { servers }
}
