// The switch that stops all writing. It survives a restart.
import type { Transaction } from '../database/repository.ts'
import { directoryKey } from './changes.ts'
import type { StoreContext } from './store-context.ts'

/** True while no write may begin. */
export const isPaused = async (records: Transaction): Promise<boolean> =>
  (await records.readFact('paused')) === 'yes'

/** Stops or resumes all writing. */
export async function setPause(context: StoreContext, paused: boolean): Promise<{ paused: boolean }> {
  const agents = await context.repository.transaction(async (records) => {
    await records.writeFact('paused', paused ? 'yes' : 'no')
    return records.listAgents()
  })
  for (const directory of new Set(agents.flatMap(({ directories }) => directories)))
    context.changes.announce(directoryKey(directory))
  context.log.info(paused ? 'all writing is paused' : 'writing is resumed')
  return { paused }
}
