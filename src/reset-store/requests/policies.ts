// The password policies of a directory, as one of its agents read them last.
import type { PoliciesAnswer } from '../../protocol/administration-calls.ts'
import type { PoliciesCall } from '../../protocol/agent-calls.ts'
import { requireActive } from './active-agent.ts'
import { CallRefused } from './call-refused.ts'
import type { StoreContext } from './store-context.ts'

/** Takes the policies of a directory. Throws CallRefused `credential_refused`, `not_allowed` for another's directory. */
export async function publishPolicies(
  context: StoreContext,
  agentId: string,
  directory: string,
  policies: PoliciesCall,
): Promise<undefined> {
  await context.repository.transaction(async (records) => {
    const agent = await requireActive(records, agentId)
    if (!agent.directories.includes(directory))
      throw new CallRefused('not_allowed', 'this agent is not enrolled for the directory')
    const publishedAt = context.clock.wallMs()
    await records.writePolicies({ directory, agent: agentId, publishedAt, policies })
  })
  return undefined
}

/** The policies of a directory with who published them and when. Throws CallRefused `policies_not_found`. */
export const readPolicies = (context: StoreContext, directory: string): Promise<PoliciesAnswer> =>
  context.repository.transaction(async (records) => {
    const found = await records.readPolicies(directory)
    if (!found) throw new CallRefused('policies_not_found')
    const { agent, publishedAt, policies } = found
    const name = (await records.findAgent(agent))?.name ?? agent
    return { directory, agent, name, publishedAt, ...policies }
  })
