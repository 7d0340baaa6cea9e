// Whether an attribute can carry the marker: one value, long enough, and not one that users may write themselves.
import { bytesOf, textOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { unsuitable } from '../unsuitable.ts'
import { guidText } from './guid.ts'
import { attributeIdOf } from './replication-metadata.ts'
import type { RootDse } from './root-dse.ts'

// Property sets that SELF may write by default (MS-ADTS §3.1.1.2.3.3): whoever forges his own marker forges an outcome.
const WRITABLE_BY_SELF: Readonly<Record<string, string>> = {
  '77b5b886-944a-11d1-aebd-0000f80367c1': 'Personal-Information',
  'e45795b2-9455-11d1-aebd-0000f80367c1': 'Phone-and-Mail-Options',
  'e45795b3-9455-11d1-aebd-0000f80367c1': 'Web-Information',
}

/** `wb1:`, store, sequence, request, flag, lease and number, version: the longest marker the contract allows for. */
const LONGEST_MARKER = 128

/** What the schema tells of the attribute. */
export interface MarkerAttribute {
  /** schemaIDGUID, by which a right on it is granted. */
  readonly schemaGuid: string
  /** By which the replication metadata knows it; undefined: not known here. */
  readonly id: number | undefined
}

const READ = ['lDAPDisplayName', 'isSingleValued', 'rangeUpper', 'attributeID', 'msDS-IntId']

/**
 * Checks the marker attribute against the schema. Throws ERR_DIRECTORY_UNSUITABLE (later) when it is unknown,
 * multi-valued, too short, or in a property set that users write themselves; and what a read throws.
 */
export async function checkMarkerAttribute(
  client: ReadClient,
  url: string,
  root: RootDse,
  attribute: string,
): Promise<MarkerAttribute> {
  const refuse = (why: string) => unsuitable(url, `${attribute} cannot carry the marker: ${why}`)
  // The name goes into a filter, so nothing but an attribute name may pass (RFC 4512 §1.4).
  if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(attribute)) throw refuse('it is no attribute name')
  const [schema] = await client.search(root.schemaNamingContext, {
    scope: 'one',
    filter: `(lDAPDisplayName=${attribute})`,
    attributes: [...READ, 'attributeSecurityGUID', 'schemaIDGUID'],
    explicitBufferAttributes: ['attributeSecurityGUID', 'schemaIDGUID'],
  })
  if (schema === undefined) throw refuse('the schema has no such attribute')
  const spelling = textOf(schema, 'lDAPDisplayName')
  if (spelling !== attribute) throw refuse(`the schema spells it ${spelling}`)
  if (textOf(schema, 'isSingleValued') !== 'TRUE') throw refuse('it may have several values')
  const longest = Number(textOf(schema, 'rangeUpper') ?? LONGEST_MARKER)
  if (longest < LONGEST_MARKER)
    throw refuse(`it holds ${longest} characters, the marker needs ${LONGEST_MARKER}`)
  const propertySet = bytesOf(schema, 'attributeSecurityGUID')
  const name = propertySet && WRITABLE_BY_SELF[guidText(propertySet) ?? '']
  if (name !== undefined) throw refuse(`users may write it themselves (${name})`)
  return {
    schemaGuid: guidText(bytesOf(schema, 'schemaIDGUID') ?? Buffer.alloc(0)) ?? '',
    id: attributeIdOf(textOf(schema, 'attributeID'), textOf(schema, 'msDS-IntId')),
  }
}
