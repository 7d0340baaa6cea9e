// One client connection of the LDAP proxy: passes whole messages between client and server and plays the faults.
import type net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import type { ActiveRule, RecordedMessage, RequestFault } from './ldap-faults.ts'
import { createPduSplitter, readLdapMessage, writeLdapResult } from './ldap-message.ts'

/** What a session works with. */
export interface SessionParts {
  readonly connection: number
  /** Under TLS; needed for RST. */
  readonly rawClient: net.Socket
  readonly client: TLSSocket
  readonly server: TLSSocket
  readonly rules: () => readonly ActiveRule[]
  readonly record: (message: RecordedMessage, pdu: Buffer) => void
  readonly forwarded: (message: RecordedMessage, pdu: Buffer) => void
}

type ResponseFilter = (
  pdu: Buffer,
  message: RecordedMessage,
) => Promise<Buffer | undefined> | Buffer | undefined

interface Pending {
  readonly filter: ResponseFilter
  readonly answered: () => void
  /** Final answers still to come before this is forgotten. */
  left: number
}

/** A session as the proxy holds it. */
export interface RunningSession {
  /** Ends both connections, after `lastWord` has been sent to the client. */
  readonly end: (lastWord?: Buffer) => void
}

/** Serves one client connection until both ends are gone. */
export function runSession(parts: SessionParts): RunningSession {
  const session = new Session(parts)
  return { end: (lastWord) => session.end(lastWord) }
}

class Session {
  readonly #parts: SessionParts
  readonly #pending = new Map<number, Pending>()
  #held = 0
  #sliced = false
  #toClient: Promise<void>
  #toServer: Promise<void> = Promise.resolve()

  constructor(parts: SessionParts) {
    this.#parts = parts
    const { client, server } = parts
    this.#toClient = new Promise((resolve) => {
      client.once('secure', resolve)
      client.once('close', () => resolve())
    })
    this.#split(client, 'request', (pdu, message) => this.#onRequest(pdu, message))
    this.#split(server, 'response', (pdu, message) => void this.#onResponse(pdu, message))
    for (const socket of [client, server]) socket.on('error', () => undefined)
    client.on('close', () => this.#endServerWhenIdle())
    server.on('close', () => {
      for (const { answered } of this.#pending.values()) answered()
      void this.#toClient.then(() => client.end())
    })
  }

  #split(
    socket: TLSSocket,
    direction: 'request' | 'response',
    handle: (pdu: Buffer, message: RecordedMessage) => void,
  ): void {
    const split = createPduSplitter()
    socket.on('data', (bytes: Buffer) => {
      try {
        for (const pdu of split(bytes)) {
          const summary = readLdapMessage(pdu)
          const message = {
            ...summary,
            at: performance.now(),
            connection: this.#parts.connection,
            direction,
            bytes: pdu.length,
          }
          this.#parts.record(message, pdu)
          handle(pdu, message)
        }
      } catch (error) {
        // What is no LDAP is worth a loud end: the test that caused it wants to know.
        socket.destroy(error as Error)
      }
    })
  }

  #onRequest(pdu: Buffer, message: RecordedMessage): void {
    const rule = this.#parts.rules().find((candidate) => candidate.takes(message))
    if (rule) this.#play(rule.fault, rule, pdu, message)
    // A held request still needs the connection that an unbind would end.
    else if (message.operation !== 'unbind' || this.#held === 0) this.#pass(pdu, message)
  }

  #play(fault: RequestFault, rule: ActiveRule, pdu: Buffer, message: RecordedMessage): void {
    const drop: ResponseFilter = () => undefined
    switch (fault.kind) {
      case 'swallow-request':
        return
      case 'swallow-response':
        this.#forward(pdu, message, drop)
        return
      case 'delay-request':
        void sleep(fault.ms).then(() => this.#pass(pdu, message))
        return
      case 'delay-response':
        this.#forward(pdu, message, (answer) => sleep(fault.ms, answer))
        return
      case 'hold':
        this.#held += 1
        rule.onRelease(() => this.#deliverLate(pdu, message))
        return
      case 'duplicate':
        this.#duplicate(pdu, message)
        return
      case 'cut':
        this.#cut(pdu.subarray(0, fault.bytes))
        return
      case 'reset':
        this.#reset(fault.when, pdu, message)
        return
      case 'slice':
        this.#sliced = true
        this.#pass(pdu, message)
        return
      case 'answer':
        this.#answer(writeLdapResult(message, fault.result), fault.forward === true, pdu, message)
        return
      case 'raw':
        this.toClient(fault.bytes(message))
        return
      case 'edit-response':
        this.#forward(pdu, message, fault.edit)
        return
    }
  }

  /** Passes a request on; `filter` decides about its answers; `answered` is called at the last one, or when none can come. */
  #forward(
    pdu: Buffer,
    message: RecordedMessage,
    filter: ResponseFilter,
    answers = 1,
    answered = () => {},
  ): void {
    this.#pending.set(message.messageId, { filter, answered, left: answers })
    for (let i = 0; i < answers; i += 1) this.#pass(pdu, message)
    if (this.#parts.server.destroyed) answered()
  }

  #deliverLate(pdu: Buffer, message: RecordedMessage): Promise<void> {
    return new Promise((resolve) => {
      this.#forward(
        pdu,
        message,
        (answer) => answer,
        1,
        () => {
          this.#held -= 1
          resolve()
          this.#endServerWhenIdle()
        },
      )
    })
  }

  #duplicate(pdu: Buffer, request: RecordedMessage): void {
    let finals = 0
    const firstOnly: ResponseFilter = (answer, message) => {
      const passes = finals === 0
      if (isFinal(message)) finals += 1
      return passes ? answer : undefined
    }
    this.#forward(pdu, request, firstOnly, 2)
  }

  #cut(head: Buffer): void {
    if (head.length === 0) {
      this.destroyBoth()
      return
    }
    this.toServer(head)
    void this.#toServer.then(() => this.destroyBoth())
  }

  #reset(when: 'before' | 'forwarded' | 'answered', pdu: Buffer, message: RecordedMessage): void {
    const resetClient = () => this.#parts.rawClient.resetAndDestroy()
    if (when === 'before') {
      resetClient()
      return
    }
    this.#held += 1
    const answered = () => {
      this.#held -= 1
      if (when === 'answered') resetClient()
      this.#endServerWhenIdle()
    }
    this.#forward(pdu, message, () => undefined, 1, answered)
    if (when === 'forwarded') void this.#toServer.then(resetClient)
  }

  #answer(answer: Buffer, forward: boolean, pdu: Buffer, request: RecordedMessage): void {
    if (!forward) this.toClient(answer)
    else this.#forward(pdu, request, (_, message) => (isFinal(message) ? answer : undefined))
  }

  async #onResponse(pdu: Buffer, message: RecordedMessage): Promise<void> {
    const pending = this.#pending.get(message.messageId)
    if (pending && isFinal(message)) {
      pending.left -= 1
      if (pending.left <= 0) this.#pending.delete(message.messageId)
    }
    const passed = pending ? await pending.filter(pdu, message) : pdu
    if (passed) this.toClient(passed)
    if (pending && pending.left <= 0) pending.answered()
  }

  toClient(pdu: Buffer): void {
    this.#toClient = this.#toClient.then(() => write(this.#parts.client, pdu, this.#sliced))
  }

  #pass(pdu: Buffer, message: RecordedMessage): void {
    if (!this.#parts.server.destroyed && !this.#parts.server.writableEnded)
      this.#parts.forwarded(message, pdu)
    this.toServer(pdu)
  }

  toServer(pdu: Buffer): void {
    this.#toServer = this.#toServer.then(() => write(this.#parts.server, pdu, this.#sliced))
  }

  destroyBoth(): void {
    this.#parts.client.destroy()
    this.#parts.server.destroy()
  }

  end(lastWord?: Buffer): void {
    if (!lastWord) {
      this.destroyBoth()
      return
    }
    this.toClient(lastWord)
    void this.#toClient.then(() => {
      this.#parts.client.end()
      this.#parts.server.destroy()
    })
  }

  #endServerWhenIdle(): void {
    if (this.#parts.client.destroyed && this.#held === 0)
      void this.#toServer.then(() => this.#parts.server.end())
  }
}

const isFinal = (message: RecordedMessage): boolean =>
  message.operation !== 'searchEntry' &&
  message.operation !== 'searchReference' &&
  message.operation !== 'intermediateResponse'

/** Resolves when the bytes have left, or can not leave any more. */
async function write(socket: TLSSocket, pdu: Buffer, sliced: boolean): Promise<void> {
  const step = sliced ? 1 : pdu.length
  for (let at = 0; at < pdu.length; at += step) {
    if (socket.destroyed || socket.writableEnded) return
    await new Promise<void>((resolve) => {
      socket.write(pdu.subarray(at, at + step), () => resolve())
    })
  }
}
