// Chooses the one domain controller that takes the writes: the PDC emulator, or the one the configuration names.
import type { Clock } from '../../../clock/clock.ts'
import { WritebackError } from '../../../errors/writeback-error.ts'
import type { ConnectionSettings } from '../bound-channel.ts'
import { bytesOf, textOf } from '../entry-values.ts'
import { openReadClient, type ReadClient } from '../read-client.ts'
import { type EndpointWay, parseEndpoint, type ServerEndpoint } from '../server-endpoint.ts'
import { unsuitable } from '../unsuitable.ts'
import { guidText } from './guid.ts'
import { type RootDse, readRootDse } from './root-dse.ts'

/** A writer with the connection that found it. */
export interface FoundWriter {
  readonly endpoint: ServerEndpoint
  readonly client: ReadClient
  readonly root: RootDse
  /** invocationId, lower case with dashes: changes when the server's database is restored from a backup. */
  readonly server: string
}

/** Where to look. `writer` is `pdc-emulator` or one of the URLs. */
export interface WriterChoice {
  readonly controllers: readonly string[]
  readonly writer: string
  readonly baseDn: string
  /** Default: the certificate has the host's name, and this host resolves it. */
  readonly way?: EndpointWay
  readonly clock: Clock
  /** Ends the search before the next controller. */
  readonly signal?: AbortSignal
}

/**
 * Asks the controllers in order until one is the writer. Throws when none is: a refused bind at once (another
 * controller would only count it again), else, after all were asked, the failure that tells most.
 */
export async function findWriter(choice: WriterChoice, settings: ConnectionSettings): Promise<FoundWriter> {
  const urls = choice.writer === 'pdc-emulator' ? choice.controllers : [choice.writer]
  const failures: unknown[] = []
  for (const url of urls) {
    if (choice.signal?.aborted) break
    try {
      return await tryController(parseEndpoint(url, choice.way), choice, settings)
    } catch (error) {
      if (error instanceof WritebackError && error.code === 'ERR_DIRECTORY_BIND_REFUSED') throw error
      failures.push(error)
    }
  }
  // "Not the PDC emulator" says little while another controller, perhaps the one that is, does not answer.
  const telling = failures.find((error) => !isUnsuitable(error)) ?? failures[0]
  throw telling ?? noneKnown(choice.baseDn)
}

const noneKnown = (baseDn: string): WritebackError =>
  new WritebackError('ERR_DIRECTORY_UNDISCOVERED', `no controller of ${baseDn} is known yet`, {
    retry: 'later',
  })

function isUnsuitable(error: unknown): boolean {
  return error instanceof WritebackError && error.code === 'ERR_DIRECTORY_UNSUITABLE'
}

async function tryController(
  endpoint: ServerEndpoint,
  choice: WriterChoice,
  settings: ConnectionSettings,
): Promise<FoundWriter> {
  const client = await openReadClient(endpoint, settings)
  try {
    const root = await readRootDse(client, endpoint.url, choice.clock)
    if (!isWithin(choice.baseDn, root.defaultNamingContext)) {
      throw unsuitable(endpoint.url, `it serves ${root.defaultNamingContext}, not ${choice.baseDn}`)
    }
    if (choice.writer === 'pdc-emulator' && !(await holdsWriterRole(client, root))) {
      throw unsuitable(endpoint.url, 'it is not the PDC emulator, and no other known controller is')
    }
    return { endpoint, client, root, server: await readInvocationId(client, root, endpoint.url) }
  } catch (error) {
    client.close()
    throw error
  }
}

/** True when the server behind `client` is the PDC emulator by its own copy of the domain (MS-ADTS §6.1.5). */
export async function holdsWriterRole(client: ReadClient, root: RootDse): Promise<boolean> {
  const [domain] = await client.search(root.defaultNamingContext, {
    scope: 'base',
    attributes: ['fSMORoleOwner'],
  })
  const owner = domain && textOf(domain, 'fSMORoleOwner')
  return owner?.toLowerCase() === root.serviceName.toLowerCase()
}

async function readInvocationId(client: ReadClient, root: RootDse, url: string): Promise<string> {
  const [settings] = await client.search(root.serviceName, {
    scope: 'base',
    attributes: ['invocationId'],
    explicitBufferAttributes: ['invocationId'],
  })
  const guid = settings && guidText(bytesOf(settings, 'invocationId') ?? Buffer.alloc(0))
  if (guid === undefined) throw unsuitable(url, 'the service account cannot read its invocationId')
  return guid
}

function isWithin(dn: string, root: string): boolean {
  const spelling = (name: string) => name.toLowerCase().replace(/\s*([,=])\s*/g, '$1')
  return spelling(dn) === spelling(root) || spelling(dn).endsWith(`,${spelling(root)}`)
}
