// A real store on loopback for one test file, and an administrator who calls it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock } from '../../src/clock/clock.ts'
import { ENDPOINTS, type EndpointName, pathOf } from '../../src/protocol/endpoints.ts'
import { sealPasswords } from '../../src/protocol/sealed-password.ts'
import type { CreateRequestAnswer } from '../../src/protocol/sealer-calls.ts'
import { verifySealingKey } from '../../src/protocol/sealing-key.ts'
import { importPublicKey } from '../../src/protocol/signed-message.ts'
import {
  createResetStore,
  type ResetStore,
  type ResetStoreOptions,
} from '../../src/reset-store/create-reset-store.ts'
import { type Logger, silentLogger } from '../../src/telemetry/logger.ts'
import { testCa } from '../servers/test-ca.ts'
import { type HttpsAnswer, type HttpsCall, httpsCall } from './https-call.ts'

/** A clock that a test can move. */
export interface MovableClock extends Clock {
  readonly advance: (ms: number) => void
}

/** The host's clock, moved by what the test says; sleeps are real. */
export function createMovableClock(): MovableClock {
  let offset = 0
  return {
    wallMs: () => Math.floor(systemClock.wallMs() + offset),
    monotonicMs: () => systemClock.monotonicMs() + offset,
    sleep: systemClock.sleep,
    advance: (ms) => {
      offset += ms
    },
  }
}

/** How tests call a store, wherever it runs. */
export interface StoreClient {
  readonly port: number
  readonly call: (call: HttpsCall) => Promise<HttpsAnswer>
  /** A call of the administrator by its name in the table. */
  readonly admin: (
    name: EndpointName,
    body?: unknown,
    parameters?: Readonly<Record<string, string>>,
    query?: string,
  ) => Promise<HttpsAnswer>
}

/** The client of a store at a port, with the token of its data directory. */
export async function createStoreClient(port: number, dataDirectory: string): Promise<StoreClient> {
  const ca = readFileSync((await testCa()).caFile, 'utf8')
  const token = readFileSync(join(dataDirectory, 'admin-token'), 'utf8').trim()
  const call = (wish: HttpsCall) => httpsCall(port, { ca }, wish)
  return {
    port,
    call,
    admin: (name, body, parameters = {}, query = '') =>
      call({
        method: ENDPOINTS[name].method,
        path: pathOf(ENDPOINTS[name], parameters) + query,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
  }
}

/** Starts a store of this process on a free port. */
export async function startStore(
  dataDirectory: string,
  options: {
    readonly clock?: Clock
    readonly requestLifetimeMs?: number
    readonly log?: Logger
    readonly probes?: NonNullable<ResetStoreOptions['probes']>
  } = {},
): Promise<StoreClient & { readonly store: ResetStore }> {
  const { server } = await testCa()
  const store = createResetStore({
    dataDirectory,
    listen: { host: '127.0.0.1', port: 0 },
    tls: { cert: readFileSync(server.certFile, 'utf8'), key: readFileSync(server.keyFile, 'utf8') },
    publicUrl: 'https://127.0.0.1',
    tenant: 'test',
    requestLifetimeMs: options.requestLifetimeMs ?? 300_000,
    probes: options.probes ?? [],
    log: options.log ?? silentLogger,
    clock: options.clock ?? systemClock,
  })
  const { port } = await store.start()
  return { ...(await createStoreClient(port, dataDirectory)), store }
}

/** Seals the passwords for a request as a sealer does. */
export async function sealFor(created: CreateRequestAnswer, ...passwords: readonly string[]) {
  const recipients = await Promise.all(
    created.agents.map(async ({ sealingKey, identityKey }) => {
      const key = await verifySealingKey(sealingKey, identityKey)
      return { kid: key.kid, key: await importPublicKey(key) }
    }),
  )
  const { request: requestId, operation, anchor, directory, expiresAt } = created
  return sealPasswords(
    passwords.map((password) => Buffer.from(password)),
    { requestId, operation, anchor, directory, expiresAt },
    recipients,
  )
}
