// From the subject of a request to the one entry that is meant: by objectGUID, or by another anchor that the store has
// pinned an entry to. Nothing of a subject but a GUID ever gets into a name or a filter.
import { EqualityFilter } from 'ldapts'
import { WritebackError } from '../../../errors/writeback-error.ts'
import type { Operation } from '../../../protocol/identifiers.ts'
import { isGuid } from '../dashed-guid.ts'
import type { AccountReading, Subject } from '../directory.ts'
import { bytesOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { guidBytes, guidText } from './guid.ts'
import { type AccountForm, readAccount } from './read-account.ts'

/** The attributes that can be anchors. */
export type AnchorAttribute = 'objectGUID' | 'mS-DS-ConsistencyGuid'

/** Where and by what accounts are looked for. */
export interface SubjectPlace extends AccountForm {
  readonly domainDn: string
  readonly attribute: AnchorAttribute
}

/**
 * Checks the subject, and gives the read of its account. Throws ERR_DOCUMENT_INVALID for what is no GUID, an
 * objectGUID that contradicts the pinned one, and a write by another anchor whose entry is not pinned; the read throws
 * what reads throw. An inspect minds no pin: it is how a wrong one is put right.
 */
export function subjectRead(
  subject: Subject,
  operation: Operation,
  place: SubjectPlace,
): (client: ReadClient) => Promise<AccountReading> {
  const { anchor } = subject
  const objectGuid = operation === 'inspect' ? null : subject.objectGuid
  if (!isGuid(anchor)) throw invalid('the anchor of the account is no GUID')
  if (objectGuid !== null && !isGuid(objectGuid)) throw invalid('the pinned objectGUID is no GUID')
  if (place.attribute === 'objectGUID') {
    if (objectGuid !== null && objectGuid !== anchor)
      throw invalid('the anchor is an objectGUID, and another one is pinned')
    return async (client) => (await readAccount(client, anchor, operation, place))?.account
  }
  if (operation === 'inspect') return (client) => inspect(client, anchor, place)
  if (objectGuid === null)
    throw invalid(`the account must be inspected first, so that the store pins its entry to the anchor`)
  return (client) => readPinned(client, anchor, objectGuid, operation, place)
}

// The anchor is looked at again on the entry itself: it may have moved to another account since.
async function readPinned(
  client: ReadClient,
  anchor: string,
  objectGuid: string,
  operation: Operation,
  place: SubjectPlace,
): Promise<AccountReading> {
  const found = await readAccount(client, objectGuid, operation, {
    ...place,
    anchorAttribute: place.attribute,
  })
  return found?.anchor === anchor ? found.account : undefined
}

async function inspect(client: ReadClient, anchor: string, place: SubjectPlace): Promise<AccountReading> {
  const entries = await client.search(place.domainDn, {
    scope: 'sub',
    // A filter in text form would corrupt the bytes.
    filter: new EqualityFilter({ attribute: place.attribute, value: guidBytes(anchor) }),
    sizeLimit: 2,
    attributes: ['objectGUID'],
    explicitBufferAttributes: ['objectGUID'],
  })
  if (entries.length > 1) return 'ambiguous'
  const objectGuid = entries[0] && guidText(bytesOf(entries[0], 'objectGUID') ?? Buffer.alloc(0))
  // tokenGroups and other computed attributes are only told of the base of a search.
  return objectGuid === undefined ? undefined : readPinned(client, anchor, objectGuid, 'inspect', place)
}

const invalid = (why: string): WritebackError => new WritebackError('ERR_DOCUMENT_INVALID', why)
