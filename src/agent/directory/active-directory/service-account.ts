// Who the bound connection is, so that no one can ask the agent to write to its own account.

import { buffersOf, bytesOf, textOf, textsOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { unsuitable } from '../unsuitable.ts'
import { guidText } from './guid.ts'
import { sidText } from './sid.ts'

/** The service account in the directory. */
export interface ServiceAccount {
  readonly objectGuid: string
  readonly sid: string
  /** DN of the fine-grained policy that applies to it; undefined: the domain's does. */
  readonly policyDn: string | undefined
}

// A token of a person holds exactly one SID of a user; all others are groups.
const ACCOUNT_SID = /^S-1-5-21-/

/**
 * Finds the service account by the SIDs of its own token, which the root entry shows to whoever is bound
 * (tokenGroups, MS-ADTS §3.1.1.3.2): right for every spelling of the bind name. Throws ERR_DIRECTORY_UNSUITABLE
 * when no SID of the token is a user's, and what a read throws.
 */
export async function readServiceAccount(client: ReadClient, url: string): Promise<ServiceAccount> {
  const [root] = await client.search('', {
    scope: 'base',
    attributes: ['tokenGroups'],
    explicitBufferAttributes: ['tokenGroups'],
  })
  for (const bytes of root === undefined ? [] : buffersOf(root, 'tokenGroups')) {
    const sid = sidText(bytes)
    if (sid === undefined || !ACCOUNT_SID.test(sid)) continue
    const [entry] = await client.search(`<SID=${sid}>`, {
      scope: 'base',
      attributes: ['objectGUID', 'objectClass', 'msDS-ResultantPSO'],
      explicitBufferAttributes: ['objectGUID'],
    })
    const guid = entry && guidText(bytesOf(entry, 'objectGUID') ?? Buffer.alloc(0))
    if (guid !== undefined && entry && textsOf(entry, 'objectClass').includes('user'))
      return { objectGuid: guid, sid, policyDn: textOf(entry, 'msDS-ResultantPSO') }
  }
  throw unsuitable(url, 'the service account does not find itself in the directory')
}
