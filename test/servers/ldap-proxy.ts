// An LDAPS proxy for tests: clients meet a certificate of the test CA, the real server is met over verified TLS, every
// message is decoded and recorded in between, and faults are played on the messages that a test names.
import { readFile } from 'node:fs/promises'
import net from 'node:net'
import tls from 'node:tls'
import {
  type ActiveRule,
  createRule,
  type FaultRule,
  isMatch,
  type MessageMatch,
  type RecordedMessage,
  type RequestFault,
} from './ldap-faults.ts'
import { type LdapResult, writeDisconnectNotice } from './ldap-message.ts'
import { type RunningSession, runSession } from './ldap-proxy-session.ts'
import { takeLoopbackAddress } from './loopback-address.ts'
import { type ServerCertificate, testCa } from './test-ca.ts'

/** Where the proxy leads. */
export interface LdapProxyOptions {
  /** `ldaps://address[:port]` of the real server. */
  readonly target: string
  /** Name in the real server's certificate. Default `dc1.corp.test`. */
  readonly targetName?: string
  /** What clients meet. Default the good certificate of the test CA. */
  readonly certificate?: ServerCertificate
  /** Sees every message as it is, passwords included. */
  readonly onPdu?: (message: RecordedMessage, pdu: Buffer) => void
  /** Sees every request when the real server gets it: later than it came, twice, or never, as the faults have it. */
  readonly onForwarded?: (message: RecordedMessage, pdu: Buffer) => void
}

/** What only looks on. */
export type ProxyWatch = Pick<LdapProxyOptions, 'onPdu' | 'onForwarded'>

/** A running proxy. */
export interface LdapProxy {
  readonly address: string
  readonly port: number
  readonly url: string
  /** Everything since the start or the last `forget()`, in order, both directions. */
  readonly messages: () => readonly RecordedMessage[]
  readonly count: (match: MessageMatch) => number
  readonly forget: () => void
  /** Client connections so far, and open now. */
  readonly connections: () => { readonly total: number; readonly open: number }
  /** Plays `fault` on the next `times` (default 1) requests that match. Rules are asked in the order they were made. */
  readonly onRequest: (match: MessageMatch, fault: RequestFault, times?: number) => FaultRule
  /** Resolves when `count(match)` has reached `atLeast` (default 1). Rejects after `timeoutMs` (default 5000). */
  readonly seen: (match: MessageMatch, atLeast?: number, timeoutMs?: number) => Promise<void>
  /** Closes the port: clients get ECONNREFUSED. Open connections stay. */
  readonly refuseConnections: () => Promise<void>
  readonly acceptConnections: () => Promise<void>
  /** Ends all open connections, after a notice of disconnection when one is given. */
  readonly disconnectAll: (notice?: LdapResult) => void
  /** Serves new connections with another certificate. */
  readonly useCertificate: (certificate: ServerCertificate) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Starts a proxy on port 636 of its own loopback address. The caller stops it. */
export async function startLdapProxy(options: LdapProxyOptions): Promise<LdapProxy> {
  const [ca, loopback] = await Promise.all([testCa(), takeLoopbackAddress()])
  const trusted = await readFile(ca.caFile)
  const target = new URL(options.target)
  const sessions = new Set<RunningSession>()
  const record = createRecord(options.onPdu)
  let rules: ActiveRule[] = []
  let context = await secureContext(options.certificate ?? ca.server)
  let total = 0

  const listener = net.createServer((rawClient) => {
    total += 1
    const connection = total
    rawClient.setNoDelay(true)
    rawClient.on('error', () => undefined)
    const client = new tls.TLSSocket(rawClient, { isServer: true, secureContext: context })
    client.on('error', () => undefined)
    const server = tls.connect({
      host: target.hostname,
      port: Number(target.port || 636),
      ca: trusted,
      servername: options.targetName ?? 'dc1.corp.test',
    })
    server.setNoDelay(true)
    const session = runSession({
      connection,
      rawClient,
      client,
      server,
      rules: () => rules,
      record: record.add,
      forwarded: options.onForwarded ?? (() => undefined),
    })
    sessions.add(session)
    client.on('close', () => {
      if (server.destroyed) sessions.delete(session)
    })
    server.on('close', () => sessions.delete(session))
  })
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(636, loopback.address, () => resolve())
    })
  await listen()

  return {
    address: loopback.address,
    port: 636,
    url: `ldaps://${loopback.address}`,
    messages: record.messages,
    count: record.count,
    forget: record.forget,
    seen: record.seen,
    connections: () => ({ total, open: sessions.size }),
    onRequest: (match, fault, times = 1) => {
      const rule = createRule(match, fault, times)
      rules = [...rules, rule]
      return rule
    },
    refuseConnections: () => {
      listener.close()
      return Promise.resolve()
    },
    acceptConnections: listen,
    disconnectAll: (notice) => {
      for (const session of sessions) session.end(notice && writeDisconnectNotice(notice))
    },
    useCertificate: async (certificate) => {
      context = await secureContext(certificate)
    },
    stop: async () => {
      listener.close()
      for (const session of sessions) session.end()
      await loopback.release()
    },
  }
}

const secureContext = async (files: ServerCertificate): Promise<tls.SecureContext> =>
  tls.createSecureContext({ cert: await readFile(files.certFile), key: await readFile(files.keyFile) })

/** Keeps what passed, and wakes those who wait for it. */
function createRecord(onPdu: LdapProxyOptions['onPdu']) {
  let messages: RecordedMessage[] = []
  const waiting = new Set<() => void>()
  const count = (match: MessageMatch): number => messages.filter((message) => isMatch(match, message)).length
  return {
    add: (message: RecordedMessage, pdu: Buffer): void => {
      messages.push(message)
      onPdu?.(message, pdu)
      for (const check of waiting) check()
    },
    messages: () => messages,
    count,
    forget: () => {
      messages = []
    },
    seen: (match: MessageMatch, atLeast = 1, timeoutMs = 5_000): Promise<void> =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (count(match) >= atLeast) settle(resolve)
        }
        const settle = (then: () => void) => {
          clearTimeout(timer)
          waiting.delete(check)
          then()
        }
        const late = () => settle(() => reject(new Error(`seen ${count(match)} of ${atLeast}`)))
        const timer = setTimeout(late, timeoutMs)
        waiting.add(check)
        check()
      }),
  }
}
