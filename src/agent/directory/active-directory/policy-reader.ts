// The password policies of a domain: one by one with a short memory, or all of them. A policy that cannot be read is an
// answer that names the missing grant, not a failure.
import type { Entry } from 'ldapts'
import type { Clock } from '../../../clock/clock.ts'
import { printable } from '../classify-error.ts'
import type { DirectoryPolicies, PolicyReading, WriterSession } from '../directory.ts'
import { textOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { createReadingMemory } from '../reading-memory.ts'
import { largeInteger } from './file-time.ts'
import { type PolicySource, policyAttributes, readPolicyValues } from './policy-values.ts'

/** What the reader needs of its session. */
export interface PolicyReaderOptions {
  /** The domain's root in the directory's own spelling. */
  readonly domainDn: string
  /** Complexity forbids names inside a password: true on Windows. */
  readonly refusesNames: boolean
  readonly use: <T>(read: (client: ReadClient) => Promise<T>) => Promise<T>
  readonly clock: Clock
}

const PRECEDENCE = 'msDS-PasswordSettingsPrecedence'

/** Makes the reader of one session. */
export function createPolicyReader(
  options: PolicyReaderOptions,
): Pick<WriterSession, 'readPolicy' | 'readPolicies'> {
  const memory = createReadingMemory(options.clock, (policyDn: string | undefined) =>
    options.use((client) => readOne(client, options, policyDn)),
  )
  return {
    readPolicy: ({ policyDn }, { isFresh = false } = {}) =>
      memory(policyDn, policyDn?.toLowerCase() ?? '', isFresh),
    readPolicies: () => options.use((client) => readAll(client, options)),
  }
}

async function readOne(
  client: ReadClient,
  options: PolicyReaderOptions,
  policyDn: string | undefined,
): Promise<PolicyReading> {
  const source: PolicySource = policyDn === undefined ? 'domain' : 'fine_grained'
  const dn = policyDn ?? options.domainDn
  const [entry] = await client.search(dn, { scope: 'base', attributes: ['cn', ...policyAttributes(source)] })
  return readingOf(entry ?? { dn }, source, options)
}

async function readAll(client: ReadClient, options: PolicyReaderOptions): Promise<DirectoryPolicies> {
  const container = containerOf(options)
  const domain = await readOne(client, options, undefined)
  const [itself] = await client.search(container, { scope: 'base', attributes: ['objectClass'] })
  const entries = await client.search(container, {
    scope: 'one',
    filter: '(objectClass=msDS-PasswordSettings)',
    attributes: ['cn', PRECEDENCE, ...policyAttributes('fine_grained')],
    paged: { pageSize: 200 },
  })
  const precedence = (entry: Entry) => Number(largeInteger(textOf(entry, PRECEDENCE)) ?? 0n)
  const readings = [
    domain,
    ...entries
      .toSorted((a, b) => precedence(a) - precedence(b))
      .map((entry) => readingOf(entry, 'fine_grained', options)),
  ]
  // Without the grant the container itself has no attributes, and its policies are not found at all.
  const isHidden =
    entries.length === 0 && (itself === undefined || textOf(itself, 'objectClass') === undefined)
  if (isHidden) readings.push(unreadable('Password Settings Container', grantFor(options)))
  return {
    policies: readings.flatMap((one) => (one.kind === 'read' ? one.policy : [])),
    problems: readings.flatMap((one) =>
      one.kind === 'read' ? [] : { name: one.name, problem: one.problem },
    ),
  }
}

function readingOf(entry: Entry, source: PolicySource, options: PolicyReaderOptions): PolicyReading {
  const name =
    source === 'domain' ? 'domain' : printable(textOf(entry, 'cn') ?? commonNameOf(entry.dn)) || 'unnamed'
  const values = readPolicyValues(entry, { name, source, refusesNames: options.refusesNames })
  if (values.kind === 'read') return values
  const { absent, wrong } = values
  if (absent.length === policyAttributes(source).length) {
    return unreadable(name, source === 'domain' ? `read access on ${options.domainDn}` : grantFor(options))
  }
  const parts = [
    ...(absent.length === 0 ? [] : [`it does not show ${absent.join(', ')}`]),
    ...(wrong.length === 0 ? [] : [`the value of ${wrong.join(', ')} makes no sense`]),
  ]
  return { kind: 'unreadable', name, problem: printable(`policy ${name}: ${parts.join('; ')}`) }
}

const unreadable = (name: string, grant: string): PolicyReading => ({
  kind: 'unreadable',
  name,
  problem: printable(`policy ${name} cannot be read: grant the service account ${grant}`),
})

const containerOf = ({ domainDn }: PolicyReaderOptions): string =>
  `CN=Password Settings Container,CN=System,${domainDn}`

const grantFor = (options: PolicyReaderOptions): string => `read access on ${containerOf(options)}`

/** The value of the first part of a name, without its escapes. */
function commonNameOf(dn: string): string {
  const first = /^[^=]*=((?:\\.|[^\\,])*)/.exec(dn)?.[1] ?? dn
  return first.replace(/\\(.)/g, '$1')
}
