// The service account's own entry: never written, and its policy says how many wrong binds it stands.
import { textOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'

/** The service account in the directory. */
export interface ServiceEntry {
  readonly entryUuid: string
  /** The policy it names itself. */
  readonly policyDn: string | undefined
}

/** Reads it by the name it binds with, a DN; undefined: there is no such entry, as of a rootdn, or it is hidden. Throws what a read throws. */
export async function readServiceEntry(
  client: ReadClient,
  bindName: string,
): Promise<ServiceEntry | undefined> {
  const [entry] = await client.search(bindName, {
    scope: 'base',
    attributes: ['entryUUID', 'pwdPolicySubentry'],
  })
  const entryUuid = entry && textOf(entry, 'entryUUID')
  return entryUuid === undefined
    ? undefined
    : { entryUuid, policyDn: entry && textOf(entry, 'pwdPolicySubentry') }
}
