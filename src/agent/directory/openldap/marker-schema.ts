// Whether the server's schema has the marker's attribute and the class that allows it, as install/openldap brings them.
import { textsOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { unsuitable } from '../unsuitable.ts'

/** The names of the attribute and of the auxiliary class. */
export interface MarkerNames {
  readonly attribute: string
  readonly auxiliaryClass: string
}

/**
 * Checks the schema. Throws ERR_DIRECTORY_UNSUITABLE (later) when one is missing, the attribute may have several values
 * or is operational, or the class is not auxiliary; and what a read throws. A schema that is not shown is not judged.
 */
export async function checkMarkerSchema(
  client: ReadClient,
  url: string,
  subschemaDn: string,
  { attribute, auxiliaryClass }: MarkerNames,
): Promise<void> {
  const [schema] = await client.search(subschemaDn, {
    scope: 'base',
    filter: '(objectClass=subschema)',
    attributes: ['attributeTypes', 'objectClasses'],
  })
  const types = schema === undefined ? [] : textsOf(schema, 'attributeTypes')
  const classes = schema === undefined ? [] : textsOf(schema, 'objectClasses')
  if (types.length === 0 || classes.length === 0) return
  const type = types.find((one) => isNamed(one, attribute))
  const kind = classes.find((one) => isNamed(one, auxiliaryClass))
  const refuse = (what: string) => unsuitable(url, `${what}; load the schema of install/openldap`)
  if (type === undefined) throw refuse(`the schema has no attribute ${attribute} for the marker`)
  if (!/\bSINGLE-VALUE\b/.test(type)) throw refuse(`${attribute} may have several values`)
  if (/\bUSAGE\b|\bNO-USER-MODIFICATION\b/.test(type)) throw refuse(`${attribute} is operational`)
  if (kind === undefined) throw refuse(`the schema has no class ${auxiliaryClass} for the marker`)
  if (!/\bAUXILIARY\b/.test(kind)) throw refuse(`${auxiliaryClass} is no auxiliary class`)
  if (!new RegExp(`\\b${attribute}\\b`, 'i').test(kind))
    throw refuse(`${auxiliaryClass} does not allow ${attribute}`)
}

/** True when a definition has this name (RFC 4512 §4.1); the configuration lets nothing but names through. */
const isNamed = (definition: string, name: string): boolean =>
  new RegExp(`\\bNAME (?:'${name}'|\\([^)]*'${name}'[^)]*\\))`, 'i').test(definition)
