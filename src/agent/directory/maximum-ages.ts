// After how long passwords expire in a directory.
import type { WriterSession } from './directory.ts'

/** The maximum age of every policy that has one and can be read, milliseconds, each once. Throws as `readPolicies` does. */
export async function maximumAges({
  readPolicies,
}: Pick<WriterSession, 'readPolicies'>): Promise<readonly number[]> {
  const { policies } = await readPolicies()
  return [...new Set(policies.flatMap(({ maximumAgeMs }) => (maximumAgeMs === null ? [] : [maximumAgeMs])))]
}
