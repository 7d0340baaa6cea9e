// The directories whose controllers are looked for in DNS, each with its own list.
import type { LookupFunction } from 'node:net'
import type { Clock } from '../clock/clock.ts'
import type { AgentConfig } from '../config/agent-config.ts'
import type { Conditions } from '../telemetry/conditions.ts'
import type { Logger } from '../telemetry/logger.ts'
import { createDiscovery, type Discovery } from './discovery/create-discovery.ts'
import { createDnsClient } from './discovery/dns-client.ts'
import type { JournalMemory } from './remember-in-journal.ts'

/** A discovery, and the way to what it finds. */
export interface FoundControllers extends Discovery {
  /** undefined: this host resolves their names. */
  readonly lookup: LookupFunction | undefined
}

/** What discoveries are made of. */
export interface DiscoveriesParts {
  readonly conditions: Conditions
  readonly clock: Clock
  readonly log: Logger
  /** Ends every question to DNS. */
  readonly signal: AbortSignal
  readonly memoryOf: (directory: string) => JournalMemory
  readonly writerOf: (directory: string) => { readonly connected: boolean; readonly url?: string }
}

/** By the name of the directory; only those that are configured so. Nothing is asked yet. */
export function createDiscoveries(
  { directories }: AgentConfig,
  { memoryOf, writerOf, ...parts }: DiscoveriesParts,
): ReadonlyMap<string, FoundControllers> {
  const found = Object.entries(directories).flatMap(([name, directory]) => {
    if (directory.type !== 'active-directory' || directory.discover === undefined) return []
    const { dnsServers, lookEveryMinutes, ...sought } = directory.discover
    const dns = createDnsClient({
      ...{ signal: parts.signal },
      ...(dnsServers === undefined ? {} : { servers: dnsServers }),
    })
    const discovery = createDiscovery({
      ...{ name, ...sought, dns, ...parts },
      everyMs: lookEveryMinutes * 60_000,
      memory: memoryOf(name),
      writer: () => writerOf(name),
    })
    return [[name, { ...discovery, lookup: dns.lookup }] as const]
  })
  return new Map(found)
}
