// Where the agent can be made to die while it changes to a new sealing key; not on the way of any request.
import type { CrashPoint } from './crash-points.ts'

const FILE = 'src/agent/keys/sealing-keys.ts'
const WRITE = 'await writeKeyFile(stateDirectory, { ...set, sealing }, passphrase)'
const PUBLISH = 'const answer = await parts.publish(statements)'

const around = (find: string, when: string) => ({
  before: { file: FILE, find, side: 'before', when } as const,
  after: { file: FILE, find, side: 'after', when } as const,
})

/** The steps of a rotation, in their order. */
export const ROTATION_POINTS: readonly CrashPoint[] = [
  {
    ...{ id: 'C39', what: 'rotation: the new key is stored' },
    ...around(WRITE, 'sealing.length > set.sealing.length'),
  },
  {
    ...{ id: 'C40', what: 'rotation: the new key is announced' },
    ...around(PUBLISH, 'parts.keys.sealingKeys.length > 1 && newestOf(parts).acceptedAt === undefined'),
  },
  {
    ...{ id: 'C41', what: 'rotation: the old key is dropped' },
    ...around(WRITE, 'sealing.length < set.sealing.length'),
  },
]
