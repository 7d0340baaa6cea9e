// The password policies of an OpenLDAP: the one that an account names, or the overlay's default, which only the server's
// configuration tells and so the agent's must name.
import type { Entry } from 'ldapts'
import type { Clock } from '../../../clock/clock.ts'
import { printable } from '../classify-error.ts'
import type { DirectoryPolicies, PolicyReading } from '../directory.ts'
import { textOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { createReadingMemory } from '../reading-memory.ts'
import { POLICY_ATTRIBUTES, readSlapdPolicy, type SlapdPolicy } from './policy-values.ts'

/** A policy, or what is missing to read it. */
export type SlapdPolicyReading =
  | ({ readonly kind: 'read' } & SlapdPolicy)
  | Extract<PolicyReading, { readonly kind: 'unreadable' }>

/** What the reader needs of its session. */
export interface SlapdPolicyOptions {
  /** The overlay's default. */
  readonly defaultDn: string | undefined
  readonly suffix: string
  readonly use: <T>(read: (client: ReadClient) => Promise<T>) => Promise<T>
  readonly clock: Clock
}

/** Reads policies. Throws what reads throw. */
export interface SlapdPolicyReader {
  /** By the policy that the account names itself; undefined: the default. At most 60 s old, or read now. */
  readonly read: (policyDn: string | undefined, isFresh: boolean) => Promise<SlapdPolicyReading>
  readonly readAll: () => Promise<DirectoryPolicies>
}

/** Makes the reader of one session. */
export function createSlapdPolicyReader(options: SlapdPolicyOptions): SlapdPolicyReader {
  const { defaultDn, use, clock } = options
  const memory = createReadingMemory(clock, (dn: string) => use((client) => readOne(client, options, dn)))
  return {
    read: async (policyDn, isFresh) => {
      const dn = policyDn ?? defaultDn
      return dn === undefined ? UNNAMED : memory(dn, dn.toLowerCase(), isFresh)
    },
    readAll: () => use((client) => readAll(client, options)),
  }
}

const UNNAMED: SlapdPolicyReading = {
  kind: 'unreadable',
  name: 'domain',
  problem:
    'the account names no policy; name the default of the ppolicy overlay as policy in the configuration',
}

async function readOne(
  client: ReadClient,
  options: SlapdPolicyOptions,
  dn: string,
): Promise<SlapdPolicyReading> {
  const [entry] = await client.search(dn, {
    scope: 'base',
    attributes: ['objectClass', 'cn', ...POLICY_ATTRIBUTES],
  })
  return readingOf(entry, dn, options)
}

async function readAll(client: ReadClient, options: SlapdPolicyOptions): Promise<DirectoryPolicies> {
  const { defaultDn, suffix } = options
  const found = await client.search(suffix, {
    scope: 'sub',
    filter: '(objectClass=pwdPolicy)',
    attributes: ['objectClass', 'cn', ...POLICY_ATTRIBUTES],
    paged: { pageSize: 200 },
  })
  const isDefault = ({ dn }: Entry) => dn.toLowerCase() === defaultDn?.toLowerCase()
  const others = found.filter((entry) => !isDefault(entry))
  const first = defaultDn === undefined ? [UNNAMED] : [await readOne(client, options, defaultDn)]
  const readings = [...first, ...others.map((entry) => readingOf(entry, entry.dn, options))]
  return {
    policies: readings.flatMap((one) => (one.kind === 'read' ? one.policy : [])),
    problems: readings.flatMap((one) =>
      one.kind === 'read' ? [] : { name: one.name, problem: one.problem },
    ),
  }
}

function readingOf(
  entry: Entry | undefined,
  dn: string,
  { defaultDn }: SlapdPolicyOptions,
): SlapdPolicyReading {
  const isDefault = dn.toLowerCase() === defaultDn?.toLowerCase()
  const name = isDefault
    ? 'domain'
    : printable(entry === undefined ? dn : (textOf(entry, 'cn') ?? dn)) || 'unnamed'
  const unreadable = (why: string): SlapdPolicyReading => ({
    ...{ kind: 'unreadable', name: name.slice(0, 256) },
    problem: printable(`policy ${dn}: ${why}`),
  })
  if (entry === undefined || textOf(entry, 'objectClass') === undefined)
    return unreadable('no such entry, or the service account may not read it: grant read access on it')
  const read = readSlapdPolicy(entry, {
    name: name.slice(0, 256),
    source: isDefault ? 'domain' : 'fine_grained',
  })
  return 'wrong' in read
    ? unreadable(`the value of ${read.wrong.join(', ')} makes no sense`)
    : { kind: 'read', ...read }
}
