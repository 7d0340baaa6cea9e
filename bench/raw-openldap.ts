// An OpenLDAP server without the product: the very read and modify of the agent, on connections of the project's own, and
// nothing else between two operations.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ClearBytes } from '../src/agent/decisions/clear-bytes.ts'
import { createBindGate } from '../src/agent/directory/bind-gate.ts'
import { openBoundChannel } from '../src/agent/directory/bound-channel.ts'
import type { LdapChannel } from '../src/agent/directory/ldap-channel.ts'
import { assertionRequest } from '../src/agent/directory/openldap/assertion-control.ts'
import { effectChanges, markerChanges } from '../src/agent/directory/openldap/password-modify.ts'
import { postReadRequest } from '../src/agent/directory/openldap/post-read-control.ts'
import { ppolicyRequest } from '../src/agent/directory/openldap/ppolicy-control.ts'
import { findEntries, seenEntryOf } from '../src/agent/directory/openldap/read-account.ts'
import { openReadClient, type ReadClient } from '../src/agent/directory/read-client.ts'
import { parseEndpoint } from '../src/agent/directory/server-endpoint.ts'
import { createTlsTrust } from '../src/agent/directory/tls-trust.ts'
import { systemClock } from '../src/clock/clock.ts'
import { encodeModify } from '../src/ldap-wire/encode-request.ts'
import { formatMarker } from '../src/protocol/marker.ts'
import { servicePassword } from '../test/servers/canaries.ts'
import type { SlapdServer } from '../test/servers/slapd-server.ts'
import { freshPassword } from './fresh-password.ts'

/** One read and one write connection, as each place of the agent has them; one operation at a time. */
export interface OpenLdapLane {
  readonly readAndModify: (anchor: string) => Promise<void>
  readonly close: () => void
}

const MARKER = { markerAttribute: 'writebackMarker', markerClass: 'writebackAccount' } as const
const TIMEOUT_MS = 30_000

/** Opens `count` lanes, bound as the agent's service account. */
export function openOpenLdapLanes(server: SlapdServer, count: number): Promise<OpenLdapLane[]> {
  const settings = {
    trust: createTlsTrust({ ca: [readFileSync(server.caFile, 'utf8')] }),
    bindName: server.serviceAccountName,
    gate: createBindGate({ clock: systemClock, readPassword: async () => servicePassword() }),
    connectTimeoutMs: TIMEOUT_MS,
    operationTimeoutMs: TIMEOUT_MS,
  }
  const endpoint = parseEndpoint(server.url)
  const open = async () =>
    createLane(
      await openReadClient(endpoint, settings),
      (await openBoundChannel(endpoint, settings)).channel,
      server.baseDn,
    )
  return Promise.all(Array.from({ length: count }, open))
}

function createLane(reader: ReadClient, writer: LdapChannel, suffix: string): OpenLdapLane {
  const place = { suffix, ...MARKER }
  return {
    readAndModify: async (anchor) => {
      const [entry] = await findEntries(reader, anchor, place)
      if (!entry) throw new Error(`no account ${anchor}`)
      const seen = seenEntryOf(entry, place)
      const before = textOf(entry[MARKER.markerAttribute])
      const password = freshPassword() as ClearBytes
      const effect = { kind: 'reset', password, unlock: true, mustChange: false } as const
      const marker = { attribute: MARKER.markerAttribute, before, after: freshMarker() }
      const changes = [...markerChanges(marker, MARKER.markerClass, seen), ...effectChanges(effect, seen)]
      const controls = [ppolicyRequest, assertionRequest(seen, effect), postReadRequest]
      const messageId = writer.nextMessageId()
      const frame = encodeModify({ messageId, dn: seen.dn, changes, controls })
      const exchange = await writer.exchange({ frame, messageId, expects: 'modify', timeoutMs: TIMEOUT_MS })
      if (exchange.kind !== 'answered') throw exchange.cause
      const { code, diagnostic } = exchange.result
      if (code !== 0) throw new Error(`the directory refuses: ${code} ${diagnostic}`)
    },
    close: () => {
      reader.close()
      writer.close()
    },
  }
}

const textOf = (value: unknown): string | undefined => {
  const [first] = [value ?? []].flat()
  return first === undefined ? undefined : String(first)
}

// As long as a real one, of a store that does not exist: the agent then takes the account for a stranger's and goes on.
const freshMarker = (): string =>
  formatMarker({
    store: 'ffffffff',
    sequence: Date.now(),
    requestId: randomUUID(),
    flag: 'applied',
    lease: Date.now(),
    n: 1,
    passwordVersion: Math.floor(Date.now() / 1000),
  })
