// What slapd says of itself in its root entry (RFC 4512 §5.1).
import { isWithin } from '../../decisions/distinguished-name.ts'
import { textOf, textsOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { unsuitable } from '../unsuitable.ts'

/** The root entry, as far as the agent goes by it. */
export interface SlapdRoot {
  /** The naming context that holds the base DN, in the server's own spelling. */
  readonly suffix: string
  readonly supportedControls: ReadonlySet<string>
  readonly subschemaDn: string
  /** Where the monitor database is; undefined: the server has none, or does not show it. */
  readonly monitorDn: string | undefined
}

/**
 * Reads the root entry. Throws ERR_DIRECTORY_UNSUITABLE (later) when no naming context of the server holds the base DN,
 * and what a read throws.
 */
export async function readSlapdRoot(client: ReadClient, url: string, baseDn: string): Promise<SlapdRoot> {
  const attributes = ['namingContexts', 'supportedControl', 'subschemaSubentry', 'monitorContext']
  const [entry] = await client.search('', { scope: 'base', attributes })
  if (entry === undefined) throw unsuitable(url, 'it has no root entry')
  const contexts = textsOf(entry, 'namingContexts')
  const suffix = suffixOf(contexts, baseDn)
  if (suffix === undefined)
    throw unsuitable(url, `it serves ${contexts.join('; ') || 'nothing'}, not ${baseDn}`)
  return {
    suffix,
    supportedControls: new Set(textsOf(entry, 'supportedControl')),
    subschemaDn: textOf(entry, 'subschemaSubentry') ?? 'cn=Subschema',
    monitorDn: textOf(entry, 'monitorContext'),
  }
}

/** The naming context that holds a DN; the longest, where databases are glued. */
export const suffixOf = (contexts: readonly string[], dn: string): string | undefined =>
  contexts.filter((context) => isWithin(dn, context)).sort((a, b) => b.length - a.length)[0]
