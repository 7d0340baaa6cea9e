// Asks DNS, with an end to its patience. What it answers is nobody's word: whoever calls judges it.
import { Resolver } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { WritebackError } from '../../errors/writeback-error.ts'
import type { SrvRecord } from './srv-records.ts'

/** How DNS is asked. */
export interface DnsClientOptions {
  /** Addresses, with ports where they are others than 53. Default: the servers of this host. */
  readonly servers?: readonly string[]
  /** Longest time for the first answer of one server; the second try waits longer. */
  readonly timeoutMs?: number
  /** Longest time for one question, whatever the servers do. */
  readonly limitMs?: number
  /** Ends every question. */
  readonly signal?: AbortSignal
}

/** DNS as it is asked here. */
export interface DnsClient {
  /**
   * The SRV records of a name; none where there is no such name. Throws ERR_DIRECTORY_UNDISCOVERED (later) when nobody answers, or
   * what comes is no answer.
   */
  readonly srv: (name: string) => Promise<readonly SrvRecord[]>
  /** Resolves host names by the same servers, for connections; undefined: this host resolves them. */
  readonly lookup: LookupFunction | undefined
}

const TIMEOUT_MS = 2_000
const TRIES = 2
const LIMIT_MS = 8_000
// More than any domain has controllers; a message over TCP could hold some thousands.
const MOST_RECORDS = 1_000
const NOTHING_THERE: ReadonlySet<unknown> = new Set(['ENODATA', 'ENOTFOUND'])

/** Makes a client. Nothing is kept between two questions. */
export function createDnsClient({
  servers,
  timeoutMs = TIMEOUT_MS,
  limitMs = LIMIT_MS,
  signal,
}: DnsClientOptions): DnsClient {
  const ask = async <T>(question: (resolver: Resolver) => Promise<T[]>): Promise<readonly T[]> => {
    // A new one each time: an old one remembers answers, servers that were slow, and this host's old settings.
    const resolver = new Resolver({ timeout: timeoutMs, tries: TRIES })
    if (servers !== undefined) resolver.setServers(servers)
    const cancel = () => resolver.cancel()
    const timer = setTimeout(cancel, limitMs)
    signal?.addEventListener('abort', cancel)
    try {
      return await question(resolver)
    } catch (error) {
      if (NOTHING_THERE.has(codeOf(error))) return []
      throw error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
    }
  }
  return {
    srv: async (name) => {
      try {
        const records = await ask((resolver) => resolver.resolveSrv(name))
        return records
          .slice(0, MOST_RECORDS)
          .map(({ name, priority, weight }) => ({ name, priority, weight }))
      } catch (cause) {
        throw new WritebackError(
          'ERR_DIRECTORY_UNDISCOVERED',
          `${name}: DNS gives no answer (${codeOf(cause)})`,
          {
            ...{ retry: 'later', cause },
          },
        )
      }
    },
    lookup: servers && lookupBy(ask),
  }
}

type Ask = <T>(question: (resolver: Resolver) => Promise<T[]>) => Promise<readonly T[]>

function lookupBy(ask: Ask): LookupFunction {
  const resolve = async (host: string) => {
    // One after the other: some servers never answer the question for the newer kind.
    const four = await ask((resolver) => resolver.resolve4(host))
    if (four.length > 0) return four.map((address) => ({ address, family: 4 }))
    const six = await ask((resolver) => resolver.resolve6(host))
    if (six.length > 0) return six.map((address) => ({ address, family: 6 }))
    throw new Error(`${host} has no address in DNS`)
  }
  return (host, options, callback) => {
    resolve(host).then(
      (addresses) => {
        const { address, family } = addresses[0] ?? { address: '', family: 0 }
        if (options.all) callback(null, addresses)
        else callback(null, address, family)
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    )
  }
}

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown } | null)?.code ?? 'no code'
