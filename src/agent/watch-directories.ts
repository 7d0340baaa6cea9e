// Keeps a session with every directory and says when one cannot be had.
import type { Conditions } from '../telemetry/conditions.ts'
import { failureLine } from '../telemetry/logger.ts'
import type { AgentBase } from './agent-base.ts'
import type { WriterSession } from './directory/directory.ts'

/** Connects what is not connected; never rejects. Called on the clock. */
export async function watchDirectories(base: Pick<AgentBase, 'directories' | 'conditions'>): Promise<void> {
  await Promise.all([...base.directories.keys()].map((name) => watch(base, name)))
}

/** As watchDirectories, at the start: a directory of which no controller is known is looked for in DNS before. Never rejects. */
export async function meetDirectories(
  base: Pick<AgentBase, 'directories' | 'conditions' | 'discoveries'>,
): Promise<void> {
  await Promise.all(
    [...base.directories.keys()].map(async (name) => {
      const discovery = base.discoveries.get(name)
      const looked = discovery?.look()
      if (discovery?.urls().length === 0) await looked
      await watch(base, name)
    }),
  )
}

async function watch(
  { directories, conditions }: Pick<AgentBase, 'directories' | 'conditions'>,
  name: string,
): Promise<void> {
  try {
    const session = await directories.get(name)?.directory.writer()
    conditions.clear('directory_unreachable', name)
    if (session !== undefined) tellHistory(conditions, name, session)
  } catch (error) {
    conditions.raise('directory_unreachable', name, failureLine(error))
  }
}

const NO_CONTROL = 'the domain controller does not offer the policy hints control'

function tellHistory(
  conditions: Conditions,
  name: string,
  { history, historyProblem }: Pick<WriterSession, 'history' | 'historyProblem'>,
): void {
  for (const [code, holds] of [
    ['history_not_enforced', history === 'not_enforced'],
    ['history_not_enforceable', history === 'not_enforceable'],
  ] as const) {
    if (holds) conditions.raise(code, name, historyProblem ?? NO_CONTROL)
    else conditions.clear(code, name)
  }
}
