// What a server says about itself before anyone asks about accounts: the root entry (MS-ADTS §3.1.1.3.2).
import type { Clock } from '../../../clock/clock.ts'
import type { RemoteReading } from '../../../clock/remote-time.ts'
import { textOf, textsOf } from '../entry-values.ts'
import { momentOfGeneralizedTime } from '../generalized-time.ts'
import type { ReadClient } from '../read-client.ts'
import { unsuitable } from '../unsuitable.ts'

/** The root entry of a writable Active Directory domain controller. */
export interface RootDse {
  readonly defaultNamingContext: string
  readonly schemaNamingContext: string
  /** Name of the NTDS settings of this server; fSMORoleOwner names servers the same way. */
  readonly serviceName: string
  readonly supportedControls: ReadonlySet<string>
  /** Samba's domain controllers lack some of what Windows' have, and say who they are. */
  readonly isSamba: boolean
  /** Directory clock, whole seconds. */
  readonly currentTime: RemoteReading
}

// currentTime is told in whole seconds.
const RESOLUTION_MS = 1_000

// MS-ADTS §3.1.1.3.4.3
const ACTIVE_DIRECTORY = '1.2.840.113556.1.4.800'
const READ_ONLY_DOMAIN_CONTROLLER = '1.2.840.113556.1.4.1920'

const ATTRIBUTES = [
  'defaultNamingContext',
  'schemaNamingContext',
  'dsServiceName',
  'supportedControl',
  'supportedCapabilities',
  'currentTime',
  'isSynchronized',
  'vendorName',
]

/**
 * Reads the root entry. Throws ERR_DIRECTORY_UNSUITABLE (later) for a server that is no Active Directory domain
 * controller, a read-only one, or one that has not finished its first replication; and what a read throws.
 */
export async function readRootDse(client: ReadClient, url: string, clock: Clock): Promise<RootDse> {
  const sentMs = clock.monotonicMs()
  const [entry] = await client.search('', { scope: 'base', attributes: ATTRIBUTES })
  const answeredMs = clock.monotonicMs()
  if (entry === undefined) throw unsuitable(url, 'it has no root entry')
  const capabilities = textsOf(entry, 'supportedCapabilities')
  if (!capabilities.includes(ACTIVE_DIRECTORY))
    throw unsuitable(url, 'it is no Active Directory domain controller')
  if (capabilities.includes(READ_ONLY_DOMAIN_CONTROLLER))
    throw unsuitable(url, 'it is a read-only domain controller')
  if (textOf(entry, 'isSynchronized') === 'FALSE') throw unsuitable(url, 'it has not replicated yet')
  const required = (name: string): string => {
    const value = textOf(entry, name)
    if (value === undefined) throw unsuitable(url, `its root entry does not tell ${name}`)
    return value
  }
  const timeMs = momentOfGeneralizedTime(required('currentTime'))
  if (timeMs === undefined) throw unsuitable(url, 'its currentTime cannot be read')
  return {
    defaultNamingContext: required('defaultNamingContext'),
    schemaNamingContext: required('schemaNamingContext'),
    serviceName: required('dsServiceName'),
    supportedControls: new Set(textsOf(entry, 'supportedControl')),
    isSamba: textOf(entry, 'vendorName')?.startsWith('Samba') ?? false,
    currentTime: { sentMs, answeredMs, timeMs, resolutionMs: RESOLUTION_MS },
  }
}
