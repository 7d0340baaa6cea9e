// What the agent and the store agreed on at enrolment. Not secret, but not to be changed by others either.
import { join } from 'node:path'
import { z } from 'zod'
import { readPrivateFile, writePrivateFile } from '../../config/private-file.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import { enrolledSchema } from '../../protocol/enrolment.ts'

const enrolmentSchema = z.strictObject({
  version: z.literal(1),
  storeUrl: z.url(),
  name: z.string(),
  enrolled: enrolledSchema,
})
/** The enrolment of one agent. */
export type Enrolment = z.infer<typeof enrolmentSchema>

const fileOf = (stateDirectory: string): string => join(stateDirectory, 'enrolment.json')

/** Keeps the enrolment. */
export const writeEnrolment = (stateDirectory: string, enrolment: Enrolment): Promise<void> =>
  writePrivateFile(fileOf(stateDirectory), `${JSON.stringify(enrolment, null, 2)}\n`)

/** Reads the enrolment; undefined when there is none. Throws ERR_KEYS_UNUSABLE when it is damaged. */
export async function readEnrolment(stateDirectory: string): Promise<Enrolment | undefined> {
  const text = await readPrivateFile(fileOf(stateDirectory))
  if (text === undefined) return undefined
  try {
    return enrolmentSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new WritebackError('ERR_KEYS_UNUSABLE', 'the enrolment file is damaged', { cause })
  }
}
