// Administrators: a bearer token each. The database holds only its digest.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { writePrivateFile } from '../../config/private-file.ts'
import type { Repository } from '../database/repository.ts'
import { CallRefused } from '../requests/call-refused.ts'

const FIRST = 'administrator'

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest()

/** Makes the first administrator's token file when the store has no administrator yet. */
export async function ensureAdministrator(repository: Repository, tokenFile: string): Promise<void> {
  if ((await repository.transaction((records) => records.listAdministrators())).length > 0) return
  const token = randomBytes(32).toString('base64url')
  // The file first: a token that nobody has would lock everybody out.
  await writePrivateFile(tokenFile, `${token}\n`)
  await repository.transaction((records) => records.addAdministrator(FIRST, digestOf(token).toString('hex')))
}

/** Finds who a bearer token belongs to. Throws CallRefused `credential_refused`. */
export type VerifyAdministrator = (token: string) => string

/** Makes the check over the administrators that the store has now. */
export async function createAdministratorCheck(repository: Repository): Promise<VerifyAdministrator> {
  const stored = await repository.transaction((records) => records.listAdministrators())
  const known = stored.map(({ name, tokenDigest }) => ({ name, digest: Buffer.from(tokenDigest, 'hex') }))
  return (token) => {
    const digest = digestOf(token)
    let found: string | undefined
    // Every digest is compared, in constant time, whatever matched before.
    for (const { name, digest: expected } of known) if (timingSafeEqual(digest, expected)) found = name
    if (found === undefined) throw new CallRefused('credential_refused')
    return found
  }
}
