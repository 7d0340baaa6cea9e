// A connection for writes: bound before it exists, verified to be the server it should be, one modify at a time.
import { WritebackError } from '../../errors/writeback-error.ts'
import type { LdapEntry, LdapResult } from '../../ldap-wire/decode-response.ts'
import {
  type Change,
  encodeBaseSearch,
  encodeModify,
  type RequestControl,
} from '../../ldap-wire/encode-request.ts'
import type { DirectoryRefusal, WriteAnswer } from '../decisions/write-answer.ts'
import { type ConnectionSettings, openBoundChannel } from './bound-channel.ts'
import { classifyRefusal } from './classify-error.ts'
import type { LdapChannel } from './ldap-channel.ts'
import type { ServerEndpoint } from './server-endpoint.ts'

/** One modify. Change values that hold a password are wiped by whoever made them, once this is encoded. */
export interface ModifyRequest {
  readonly dn: string
  readonly changes: readonly Change[]
  readonly controls: readonly RequestControl[]
  /** Asked right before the first byte; `false` means `not_sent`. */
  readonly mayStart?: () => boolean
  /** What a refusal means; default: as Active Directory says it. Must not throw. */
  readonly classify?: (result: LdapResult) => DirectoryRefusal
  /** Told of a success, with what the server sent beside it. Must not throw. */
  readonly onAccepted?: (result: LdapResult) => void
}

/** How a connection knows that it leads to the server it should: by attributes of the root entry. */
export interface ExpectedServer {
  readonly attributes: readonly string[]
  /** Who answers instead; undefined: it is the right one. */
  readonly findStranger: (root: LdapEntry | undefined) => string | undefined
}

/** A bound connection to one known server. */
export interface WriteConnection {
  readonly isOpen: () => boolean
  /** Never throws: every end is an answer. After `lost` the connection is closed. The values are encoded at once. */
  readonly modify: (request: ModifyRequest) => Promise<WriteAnswer>
  readonly close: () => void
  readonly closed: Promise<void>
}

/**
 * Opens a write connection to the expected server. Throws as `openBoundChannel` does, and ERR_DIRECTORY_UNSUITABLE
 * (later) when another server answers at this address: a lost write is only settled on the server it was sent to.
 */
export async function openWriteConnection(
  endpoint: ServerEndpoint,
  settings: ConnectionSettings,
  expected: ExpectedServer,
): Promise<WriteConnection> {
  const { channel } = await openBoundChannel(endpoint, settings)
  try {
    const root = await readRoot(channel, expected.attributes, settings.operationTimeoutMs)
    const stranger = expected.findStranger(root)
    if (stranger !== undefined) {
      throw new WritebackError(
        'ERR_DIRECTORY_UNSUITABLE',
        `${endpoint.url}: another server answers now: ${stranger}`,
        {
          retry: 'later',
        },
      )
    }
  } catch (error) {
    channel.close()
    throw error
  }
  return {
    isOpen: () => channel.isOpen(),
    closed: channel.closed,
    close: () => channel.close(),
    modify: (request) => modify(channel, request, settings.operationTimeoutMs),
  }
}

async function modify(channel: LdapChannel, request: ModifyRequest, timeoutMs: number): Promise<WriteAnswer> {
  const messageId = channel.nextMessageId()
  const { dn, changes, controls, mayStart, classify = classifyRefusal } = request
  const frame = encodeModify({ messageId, dn, changes, controls })
  const exchange = await channel.exchange({
    frame,
    messageId,
    expects: 'modify',
    timeoutMs,
    ...(mayStart === undefined ? {} : { mayStart }),
  })
  if (exchange.kind !== 'answered') return exchange
  if (exchange.result.code === 0) {
    request.onAccepted?.(exchange.result)
    return { kind: 'accepted' }
  }
  return { kind: 'refused', refusal: classify(exchange.result) }
}

async function readRoot(
  channel: LdapChannel,
  attributes: readonly string[],
  timeoutMs: number,
): Promise<LdapEntry | undefined> {
  const messageId = channel.nextMessageId()
  const frame = encodeBaseSearch({ messageId, dn: '', attributes })
  const exchange = await channel.exchange({ frame, messageId, expects: 'search_done', timeoutMs })
  if (exchange.kind !== 'answered') throw exchange.cause
  return exchange.entries[0]
}
