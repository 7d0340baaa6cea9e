// The directories of one configuration, each with its own connections and its own patience.
import { readFileSync } from 'node:fs'
import { createBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { AgentConfig, DirectoryConfig } from '../config/agent-config.ts'
import { readCertificates } from '../config/pem-file.ts'
import { readSecretFile } from '../config/secret-file.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { type Blocklist, parseBlocklist } from '../policy/blocklist.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { FoundControllers } from './create-discoveries.ts'
import { isWithin } from './decisions/distinguished-name.ts'
import type { RefusalMemory } from './directory/bind-gate.ts'
import { createDirectory } from './directory/create-directory.ts'
import type { TrustOptions } from './directory/tls-trust.ts'
import { createLanes, LATE_BYTES_MS } from './writeback/lanes.ts'
import type { ServedDirectory } from './writeback/writeback-parts.ts'

const AWAY = { firstMs: 500, longestMs: 10_000 }

/** What every directory is handed. */
export interface DirectoryParts {
  readonly log: Logger
  readonly clock: Clock
  /** Where the refused binds of a directory are kept over restarts; asked for no sooner than at its first bind. */
  readonly refusalsOf?: (directory: string) => RefusalMemory
  /** Those that are looked for in DNS. */
  readonly discoveries?: ReadonlyMap<string, Pick<FoundControllers, 'urls' | 'lookup'>>
}

/** Makes every configured directory. Nothing connects yet. Throws ERR_CONFIG_UNREADABLE, ERR_CONFIG_INVALID. */
export function createDirectories(
  config: AgentConfig,
  parts: DirectoryParts,
): ReadonlyMap<string, ServedDirectory> {
  refuseOverlap(config)
  return new Map(
    Object.entries(config.directories).map(([name, directory]) => [name, serve(name, directory, parts)]),
  )
}

// The limits, the order of requests and the guard against lockouts are kept by directory: an account must not have two.
function refuseOverlap({ directories }: AgentConfig): void {
  const all = Object.entries(directories)
  for (const [index, [name, { baseDn }]] of all.entries())
    for (const [other, { baseDn: otherDn }] of all.slice(index + 1))
      if (isWithin(baseDn, otherDn) || isWithin(otherDn, baseDn))
        throw new WritebackError(
          'ERR_CONFIG_INVALID',
          `directories.${name} and directories.${other} hold the same accounts: ${baseDn}, ${otherDn}`,
        )
}

function serve(
  name: string,
  config: DirectoryConfig,
  { log, clock, refusalsOf, discoveries }: DirectoryParts,
): ServedDirectory {
  const directory = createDirectory({
    name,
    ...kindOf(config, discoveries?.get(name)),
    baseDn: config.baseDn,
    scope: config.scope,
    bindName: config.bind.name,
    readBindPassword: () => readBindPassword(config.bind.passwordFile),
    tls: trustOf(config.tls),
    connections: config.connections,
    connectTimeoutMs: config.connectTimeoutSeconds * 1000,
    operationTimeoutMs: config.operationTimeoutSeconds * 1000,
    ...{ log, clock },
    ...(refusalsOf === undefined ? {} : { refusalMemory: refusalsOf(name) }),
  })
  const { blocklistFile, refuseNames } = config.passwords
  return {
    directory,
    blocklist: blocklistFile === undefined ? undefined : readBlocklist(blocklistFile),
    refusesNames: refuseNames,
    backoff: createBackoff(AWAY),
    withoutMarker: config.withoutMarker,
    lanes: createLanes(clock, config.operationTimeoutSeconds * 1000 + LATE_BYTES_MS),
  }
}

/** How the servers of a directory are trusted. Throws ERR_CONFIG_UNREADABLE or ERR_CONFIG_INVALID for the CA file. */
export const trustOf = ({ caFile, serverName, pinSha256 }: DirectoryConfig['tls']): TrustOptions => ({
  ...(caFile === undefined ? {} : { ca: [readCertificates(caFile)] }),
  ...(serverName === undefined ? {} : { serverName }),
  ...(pinSha256 === undefined ? {} : { pinSha256 }),
})

/** What each kind of directory has of its own. */
function kindOf(config: DirectoryConfig, found: Pick<FoundControllers, 'urls' | 'lookup'> | undefined) {
  const { type, writer, markerAttribute, protection } = config
  const history = config.history === undefined ? {} : { history: config.history }
  if (type === 'active-directory') {
    const controllers = found?.urls ?? config.controllers ?? []
    const lookup = found?.lookup === undefined ? {} : { lookup: found.lookup }
    const { anchor } = config
    return { kind: type, controllers, ...lookup, writer, anchor, protection, markerAttribute, ...history }
  }
  const { servers: controllers, policy: policyDn, markerClass } = config
  return { kind: type, controllers, writer, policyDn, protection, markerAttribute, markerClass, ...history }
}

// A file that is being replaced is there again soon; until then the bound connections go on.
async function readBindPassword(file: string): Promise<Buffer> {
  try {
    return await readSecretFile(file)
  } catch (cause) {
    throw new WritebackError('ERR_DIRECTORY_BIND_REFUSED', 'the service account cannot bind', {
      ...{ retry: 'later', cause },
    })
  }
}

function readBlocklist(file: string): Blocklist {
  const content = readText(file)
  try {
    return parseBlocklist(content)
  } catch (cause) {
    throw new WritebackError('ERR_CONFIG_INVALID', `blocklist ${file} cannot be taken`, { cause })
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WritebackError('ERR_CONFIG_UNREADABLE', `blocklist ${file} cannot be read`, { cause })
  }
}
