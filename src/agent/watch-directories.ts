// Keeps a session with every directory and says when one cannot be had.
import { errorFields } from '../telemetry/logger.ts'
import type { AgentBase } from './agent-base.ts'

/** Connects what is not connected; never rejects. Called at the start and on the clock. */
export async function watchDirectories(base: Pick<AgentBase, 'directories' | 'conditions'>): Promise<void> {
  await Promise.all([...base.directories.keys()].map((name) => watch(base, name)))
}

async function watch(
  { directories, conditions }: Pick<AgentBase, 'directories' | 'conditions'>,
  name: string,
): Promise<void> {
  try {
    const session = await directories.get(name)?.directory.writer()
    conditions.clear('directory_unreachable', name)
    if (session?.history === 'enforced') conditions.clear('history_not_enforced', name)
    else
      conditions.raise(
        'history_not_enforced',
        name,
        'the domain controller does not offer the policy hints control',
      )
  } catch (error) {
    conditions.raise('directory_unreachable', name, String(errorFields(error)['error']))
  }
}
