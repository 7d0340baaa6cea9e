// The same directory without the product: connections of the project's own wire layer, which encodes and decodes less
// than any general LDAP client, and nothing else between two operations.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ClearBytes } from '../src/agent/decisions/clear-bytes.ts'
import { writeChanges } from '../src/agent/directory/active-directory/password-modify.ts'
import { attributesFor } from '../src/agent/directory/active-directory/read-account.ts'
import { unicodePassword } from '../src/agent/directory/active-directory/unicode-password.ts'
import { createBindGate } from '../src/agent/directory/bind-gate.ts'
import { openBoundChannel } from '../src/agent/directory/bound-channel.ts'
import type { LdapChannel } from '../src/agent/directory/ldap-channel.ts'
import { parseEndpoint } from '../src/agent/directory/server-endpoint.ts'
import { createTlsTrust } from '../src/agent/directory/tls-trust.ts'
import { systemClock } from '../src/clock/clock.ts'
import { type Change, encodeBaseSearch, encodeModify } from '../src/ldap-wire/encode-request.ts'
import { formatMarker } from '../src/protocol/marker.ts'
import { newPassword, servicePassword } from '../test/servers/canaries.ts'
import type { SambaDomain } from '../test/servers/samba-domain.ts'

/** One read and one write connection, as each place of the agent has them; one operation at a time. */
export interface RawLane {
  /** Replaces unicodePwd and nothing else. */
  readonly modify: (anchor: string) => Promise<void>
  /** Reads and writes what the agent reads and writes for a reset. */
  readonly readAndModify: (anchor: string) => Promise<void>
  readonly close: () => void
}

const MARKER_ATTRIBUTE = 'adminDisplayName'
const TIMEOUT_MS = 30_000

/** Opens `count` lanes, bound as the agent's service account. */
export function openRawLanes(domain: SambaDomain, count: number): Promise<RawLane[]> {
  const settings = {
    trust: createTlsTrust({ ca: [readFileSync(domain.caFile, 'utf8')] }),
    bindName: domain.serviceAccountName,
    gate: createBindGate({ clock: systemClock, readPassword: async () => servicePassword() }),
    connectTimeoutMs: TIMEOUT_MS,
    operationTimeoutMs: TIMEOUT_MS,
  }
  const open = async () => (await openBoundChannel(parseEndpoint(domain.url), settings)).channel
  return Promise.all(Array.from({ length: count }, async () => createLane(await open(), await open())))
}

function createLane(reader: LdapChannel, writer: LdapChannel): RawLane {
  return {
    modify: (anchor) =>
      write(writer, anchor, [{ operation: 'replace', attribute: 'unicodePwd', values: [passwordValue()] }]),
    readAndModify: async (anchor) => {
      const before = await readMarker(reader, anchor)
      const marker = { attribute: MARKER_ATTRIBUTE, before, after: freshMarker() }
      const unicodePwd = passwordValue()
      const changes = writeChanges(marker, { kind: 'reset', unicodePwd, unlock: true, mustChange: false })
      await write(writer, anchor, changes)
    },
    close: () => {
      reader.close()
      writer.close()
    },
  }
}

async function write(channel: LdapChannel, anchor: string, changes: readonly Change[]): Promise<void> {
  const messageId = channel.nextMessageId()
  const frame = encodeModify({ messageId, dn: `<GUID=${anchor}>`, changes })
  const exchange = await channel.exchange({ frame, messageId, expects: 'modify', timeoutMs: TIMEOUT_MS })
  if (exchange.kind !== 'answered') throw exchange.cause
  if (exchange.result.code !== 0) throw new Error(`the directory refuses: ${exchange.result.diagnostic}`)
}

async function readMarker(channel: LdapChannel, anchor: string): Promise<string | undefined> {
  const messageId = channel.nextMessageId()
  const attributes = [...attributesFor('reset'), MARKER_ATTRIBUTE]
  const frame = encodeBaseSearch({ messageId, dn: `<GUID=${anchor}>`, attributes })
  const exchange = await channel.exchange({ frame, messageId, expects: 'search_done', timeoutMs: TIMEOUT_MS })
  if (exchange.kind !== 'answered') throw exchange.cause
  const [entry] = exchange.entries
  if (!entry) throw new Error(`no account ${anchor}`)
  return entry.attributes.get(MARKER_ATTRIBUTE.toLowerCase())?.[0]?.toString('utf8')
}

const passwordValue = (): Buffer => unicodePassword(newPassword() as ClearBytes)

// As long as a real one, of a store that does not exist: the agent then takes the account for a stranger's and goes on.
const freshMarker = (): string =>
  formatMarker({
    store: 'ffffffff',
    sequence: Date.now(),
    requestId: randomUUID(),
    flag: 'applied',
    lease: Date.now(),
    n: 1,
    passwordVersion: 1,
  })
