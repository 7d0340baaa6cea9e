// One look at DNS for the controllers of a domain: three questions, and what of their answers may be used.
import { WritebackError } from '../../errors/writeback-error.ts'
import type { DnsClient } from './dns-client.ts'
import { acceptHost, orderRecords } from './srv-records.ts'

/** Whose controllers are looked for. */
export interface SoughtDomain {
  readonly domain: string
  readonly site?: string | undefined
  /** Names that controllers must have or be below. Default: the domain. */
  readonly within?: readonly string[] | undefined
}

/** What one look came to. */
export interface DnsAnswer {
  /** Host names without doubles: the PDC emulator's first, then those of the site, then the others. */
  readonly hosts: readonly string[]
  /** Why the list of all controllers cannot be had; undefined: `hosts` has all that DNS names. */
  readonly problem: string | undefined
  /** What was odd, each in words for an operator. */
  readonly oddities: readonly string[]
}

const MOST_TOLD = 5

/** Looks once; never throws. The records are those that each controller registers (MS-ADTS section 6.3.2.3). */
export async function findControllers(
  { domain, site, within = [domain] }: SoughtDomain,
  { srv }: Pick<DnsClient, 'srv'>,
  random: () => number,
): Promise<DnsAnswer> {
  const refused = new Set<string>()
  const hostsOf = async (name: string): Promise<Found> => {
    try {
      const records = orderRecords(await srv(`${name}.${domain}`), random)
      return { hosts: records.flatMap((record) => accept(record.name, within, refused)), problem: undefined }
    } catch (error) {
      return { hosts: [], problem: error instanceof WritebackError ? error.message : String(error) }
    }
  }
  const [writer, near, all] = await Promise.all([
    hostsOf('_ldap._tcp.pdc._msdcs'),
    site === undefined ? NOTHING : hostsOf(`_ldap._tcp.${site}._sites.dc._msdcs`),
    hostsOf('_ldap._tcp.dc._msdcs'),
  ])
  const isSiteEmpty = site !== undefined && near.problem === undefined && near.hosts.length === 0
  // Read-only controllers register for their site alone, so the site only says who comes first.
  const nearby = near.hosts.filter((host) => all.hosts.includes(host))
  return {
    hosts: [...new Set([...writer.hosts, ...nearby, ...all.hosts])],
    problem: problemOf(all, domain),
    oddities: [
      ...(refused.size === 0 ? [] : [`left out, because of their names: ${listed(refused)}`]),
      ...(isSiteEmpty ? [`no controller is registered for the site ${site}`] : []),
    ],
  }
}

interface Found {
  readonly hosts: readonly string[]
  readonly problem: string | undefined
}
const NOTHING: Found = { hosts: [], problem: undefined }

function accept(name: string, within: readonly string[], refused: Set<string>): readonly string[] {
  // RFC 2782: a target of "." says that the service is not to be had.
  if (name === '' || name === '.') return []
  const host = acceptHost(name, within)
  if (host !== undefined) return [host]
  refused.add(name)
  return []
}

const problemOf = ({ hosts, problem }: Found, domain: string): string | undefined =>
  problem ??
  (hosts.length > 0 ? undefined : `_ldap._tcp.dc._msdcs.${domain}: DNS names no controller that may be used`)

// Anybody may have written these names: nothing but what a name is made of, and not too long.
const shown = (name: string): string => name.replace(/[^A-Za-z0-9._-]/g, '?').slice(0, 64)

function listed(names: ReadonlySet<string>): string {
  const first = [...names].slice(0, MOST_TOLD).map(shown).join(', ')
  return names.size > MOST_TOLD ? `${first} and ${names.size - MOST_TOLD} more` : first
}
