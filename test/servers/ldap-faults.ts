// The faults that the LDAP proxy can play, and the rules that say when.
import type { LdapOperation, LdapResult, LdapSummary } from './ldap-message.ts'

/** One message as recorded. Never holds a password. */
export interface RecordedMessage extends LdapSummary {
  /** Monotonic milliseconds (`performance.now()`). */
  readonly at: number
  /** 1 for the first client connection. */
  readonly connection: number
  readonly direction: 'request' | 'response'
  /** Size of the whole message. */
  readonly bytes: number
}

/** Which messages are meant: all given fields must fit, or the predicate must say so. */
export type MessageMatch =
  | {
      readonly operation?: LdapOperation
      readonly dn?: string
      readonly connection?: number
      readonly direction?: 'request' | 'response'
      /** A modify that touches this attribute. */
      readonly attribute?: string
      readonly resultCode?: number
    }
  | ((message: RecordedMessage) => boolean)

/** What happens to a request. The names say what the client and the server see. */
export type RequestFault =
  /** The server gets and answers it; the answer is dropped. */
  | { readonly kind: 'swallow-response' }
  /** The server never gets it. */
  | { readonly kind: 'swallow-request' }
  | { readonly kind: 'delay-request'; readonly ms: number }
  | { readonly kind: 'delay-response'; readonly ms: number }
  /** Kept until `rule.release()`, then delivered, also when the client is long gone (a late write). */
  | { readonly kind: 'hold' }
  /** The server gets it twice; the client sees the first answer. */
  | { readonly kind: 'duplicate' }
  /** The server gets the first `bytes` bytes, then both connections end. */
  | { readonly kind: 'cut'; readonly bytes: number }
  /** The client gets RST: before the request is passed on, right after, or when the server has answered. */
  | { readonly kind: 'reset'; readonly when: 'before' | 'forwarded' | 'answered' }
  /** From this request on, everything of this connection travels in writes of one byte. */
  | { readonly kind: 'slice' }
  /** The client gets this result. The server gets the request only when `forward` is true. */
  | { readonly kind: 'answer'; readonly result: LdapResult; readonly forward?: boolean }
  /** The client gets these bytes instead of an answer; the server gets nothing. */
  | { readonly kind: 'raw'; readonly bytes: (request: RecordedMessage) => Buffer }
  /** Every answer message is passed through `edit`; undefined drops it. */
  | {
      readonly kind: 'edit-response'
      readonly edit: (pdu: Buffer, message: RecordedMessage) => Buffer | undefined
    }

/** A fault that is set up. */
export interface FaultRule {
  /** How many requests it has hit. */
  readonly hits: () => number
  /** Resolves at the first hit. */
  readonly hit: Promise<RecordedMessage>
  /** Delivers the requests that `hold` keeps, and resolves when the server has answered them. */
  readonly release: () => Promise<void>
  readonly remove: () => void
}

/** Inside of a rule, for the session that obeys it. */
export interface ActiveRule extends FaultRule {
  readonly fault: RequestFault
  /** Counts the request in when it is meant. */
  readonly takes: (message: RecordedMessage) => boolean
  readonly onRelease: (deliver: () => Promise<void>) => void
}

/** True when `message` is meant by `match`. */
export function isMatch(match: MessageMatch, message: RecordedMessage): boolean {
  if (typeof match === 'function') return match(message)
  const { attribute, ...fields } = match
  const wanted = attribute?.toLowerCase()
  if (wanted !== undefined && !message.changes?.some((c) => c.attribute.toLowerCase() === wanted))
    return false
  return Object.entries(fields).every(([name, value]) => message[name as keyof RecordedMessage] === value)
}

/** Makes a rule that hits the next `times` requests that are meant. */
export function createRule(match: MessageMatch, fault: RequestFault, times: number): ActiveRule {
  const { promise: hit, resolve } = Promise.withResolvers<RecordedMessage>()
  const held: (() => Promise<void>)[] = []
  let hits = 0
  let left = times
  return {
    fault,
    hit,
    hits: () => hits,
    takes: (message) => {
      if (left <= 0 || !isMatch(match, message)) return false
      left -= 1
      hits += 1
      resolve(message)
      return true
    },
    onRelease: (deliver) => held.push(deliver),
    release: async () => {
      await Promise.all(held.splice(0).map((deliver) => deliver()))
    },
    remove: () => {
      left = 0
    },
  }
}
