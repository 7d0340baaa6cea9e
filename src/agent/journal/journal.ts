// What the journal remembers, as others see it. It never sees a password: a sealed value stays inside the document.
import type { Notice } from '../../protocol/codes.ts'
import type { AuditEntry, OperatorEntry } from '../decisions/audit-entry.ts'

/** Another agent that held this request before, and the server its receipt named. */
export interface EarlierHolder {
  readonly agent: string
  readonly server: string
}

/** How far the subject's previous request got: where, with which marker, and whether that is settled. */
export interface LastWrite {
  readonly server: string
  readonly marker: string | null
  readonly settled: boolean
  /** While it is not settled: further servers at which something of it may be under way. */
  readonly others?: readonly string[]
}

/** A verified request document with the lease it came with. */
export interface AcceptedDocument {
  readonly requestId: string
  readonly directory: string
  /** The account's immutable anchor. */
  readonly subject: string
  readonly sequence: number
  readonly lease: number
  /** The compact JWS exactly as received. */
  readonly document: string
  readonly expiresAtMs: number
  readonly earlier: readonly EarlierHolder[]
  readonly last: LastWrite | null
}

/** A request that still owes an outcome. */
export interface OpenRequest extends AcceptedDocument {
  /** The server of the receipt the store accepted for the current lease. */
  readonly receiptServer: string | undefined
  /** Starts of processing that did not come back: more than a few means the request kills the process. */
  readonly crashStarts: number
}

/**
 * `new`: first seen, or seen again after its lease was given up. `renewed`: open, now with this lease and no
 * receipt. `held`: open with this very lease, nothing changed. `stale`: a lower lease than the known one, nothing
 * changed. `closed`: it has an outcome, which is to be delivered again.
 */
export type Acceptance = 'new' | 'renewed' | 'held' | 'stale' | 'closed'

/** One write or fence, recorded before any byte of it is sent. */
export interface Intent {
  readonly requestId: string
  /** Counts every write and fence of this request; never used twice. */
  readonly n: number
  readonly lease: number
  readonly kind: 'write' | 'fence'
  readonly server: string
  readonly markerBefore: string | undefined
  readonly markerAfter: string
  readonly passwordVersionBefore: number | undefined
  readonly startedAtMs: number
  /** What a write was to do; undefined for a fence. */
  readonly effect: 'reset' | 'change' | 'unlock' | undefined
  /** What is worth saying beside `applied` when this write lands. */
  readonly notices: readonly Notice[]
  /** The write carried no marker: no fence excludes it, and no marker tells of it. Default: it did. */
  readonly withoutMarker?: boolean
}

/** An intent and what is known about it: `accepted`, `refused:…`, `not_sent`, `lost`, or nothing yet. */
export interface AnsweredIntent extends Intent {
  readonly answer: string | undefined
}

/**
 * A password write that the directory confirmed. `passwordVersion`: after it, where the directory counts writes, and
 * meaningless where it keeps a time; undefined when it could not be read.
 */
export interface ConfirmedWrite {
  readonly sequence: number
  readonly server: string
  readonly passwordVersion: number | undefined
}

/** A signed outcome. */
export interface RecordedOutcome {
  readonly requestId: string
  readonly outcome: string
  /** Of the outcome, where it has one. Not kept by itself: the signed bytes hold it. */
  readonly reason?: string
  /** The signed bytes as text, kept exactly: the same for ever. */
  readonly bytes: string
  readonly atMs: number
}

/** A request that has left this agent's hands, until `purge` forgets it. */
export interface EndedRequest
  extends Pick<AcceptedDocument, 'requestId' | 'directory' | 'subject' | 'earlier'> {
  /** `closed`: its outcome is not delivered yet. `released`: left to another agent. */
  readonly state: 'closed' | 'delivered' | 'released'
  /** When it reached this state: store time of the outcome, wall time after that; milliseconds since 1970. */
  readonly atMs: number
  /** The signed outcome; undefined when released. */
  readonly bytes: string | undefined
  readonly storeAnswer: string | undefined
}

/** A request with a place in its subject's order, and how it ended. */
export interface EndedWrite {
  readonly requestId: string
  readonly sequence: number
  /** The signed outcome. */
  readonly bytes: string
}

/** How many requests there are by state, and since when the oldest waits: milliseconds since 1970, undefined without one. */
export interface JournalCounts {
  readonly open: number
  readonly undelivered: number
  readonly finished: number
  /** When it was issued, by the store's clock. An inspection has no sequence and is not looked at. */
  readonly oldestOpenAt: number | undefined
  /** When its outcome was recorded, by the store's clock. */
  readonly oldestUndeliveredAt: number | undefined
}

/** `recorded`: kept now. `same`: it was already. `kept_out`: another outcome came first, or the lease was given up. */
export type Recording = 'recorded' | 'same' | 'kept_out'

/**
 * What this agent must never forget. Every call but `durable` is synchronous; when it returns, what it wrote survives a crash
 * of the process, and of the machine from the next `durable` on. Every call throws ERR_JOURNAL_UNUSABLE when the disk or the
 * file fails.
 */
export interface Journal {
  /**
   * Resolves when everything that was written before is on the disk. Nothing is told to the store or sent to a directory on
   * the strength of what is not: documents before their receipts, intents before their writes, outcomes before their reports.
   */
  readonly durable: () => Promise<void>
  /** Takes documents in, all in one transaction. The result has one entry per document, in the same order. */
  readonly accept: (documents: readonly AcceptedDocument[]) => readonly Acceptance[]
  /**
   * Notes accepted receipts. False for a lease that is no longer the current one. Nobody waits for the disk: after a power
   * cut the receipt is given again, and the store answers the same.
   */
  readonly receipt: (
    items: readonly { readonly requestId: string; readonly lease: number; readonly server: string }[],
  ) => readonly boolean[]
  /** Every request without an outcome, by directory and sequence. */
  readonly open: () => readonly OpenRequest[]
  /** The ids of `open`, those with an intent that is not settled first, without reading the documents. */
  readonly openIds: (directory: string) => readonly string[]
  /** How many `openIds` gives. */
  readonly openCount: (directory: string) => number
  /** Every open request with its lease, without reading the documents. */
  readonly openLeases: () => readonly { readonly requestId: string; readonly lease: number }[]
  /**
   * The newest requests that the store should not hand out anew, with their leases: open ones, and those whose outcome it
   * has not confirmed yet.
   */
  readonly heldLeases: (limit: number) => readonly { readonly requestId: string; readonly lease: number }[]
  /** A request that is not open any more; undefined when it is, or is not known. */
  readonly findEnded: (requestId: string) => EndedRequest | undefined
  /** The newest request of an account that ended with an outcome, of those with this `outcome` where it is given; no inspection. */
  readonly lastEnded: (directory: string, account: string, outcome?: string) => EndedWrite | undefined
  /** One open request; undefined when unknown, closed or released. Its document is read when it is looked at, empty once it is wiped. */
  readonly find: (requestId: string) => OpenRequest | undefined
  /** The `n` of the next intent. Only recording the intent uses it up. */
  readonly nextAttempt: (requestId: string) => number
  /**
   * Records an intent. Throws ERR_INTERNAL for an `n` that was used before and for a request that is not open. `told`: what
   * the audit record is to say of it; gives that entry's number, 0 without one.
   */
  readonly intent: (intent: Intent, told?: AuditEntry) => number
  /**
   * Records what is known about one attempt. Throws ERR_INTERNAL for an unknown attempt. Nobody waits for the disk: after a
   * power cut the directory tells again what became of the attempt.
   */
  readonly answer: (requestId: string, n: number, answer: string, told?: AuditEntry) => void
  /** Intents without an answer, or whose answer was lost; newest last. */
  readonly unsettledIntents: (requestId: string) => readonly Intent[]
  /** Every intent of one request; newest last. */
  readonly intents: (requestId: string) => readonly AnsweredIntent[]
  /**
   * The writes that were begun after `sinceMs` (store time) and may have been sent, of every directory, oldest first; those
   * that were refused without a look at a password (busy, read only, a missing right) are left out. `account` is the anchor.
   */
  readonly recentWrites: (
    sinceMs: number,
  ) => readonly { readonly directory: string; readonly account: string; readonly atMs: number }[]
  /** The confirmed reset or change of an account with the highest sequence; undefined: none is remembered. */
  readonly lastPasswordWrite: (directory: string, account: string) => ConfirmedWrite | undefined
  /**
   * How many current passwords that were tried for an account after `sinceMs` (store time) the directory called wrong, or
   * may have: an answer that is not known counts.
   */
  readonly countWrongPasswords: (directory: string, account: string, sinceMs: number) => number
  /** True while another open request has tried a current password of this account and its answer is not there yet. */
  readonly isChangeUnderWay: (directory: string, account: string, butRequestId: string) => boolean
  /**
   * The newest write without a marker that another request of this account began and whose answer is not known;
   * `startedAtMs`: store time.
   */
  readonly lastUnmarkedDoubt: (
    directory: string,
    account: string,
    butRequestId: string,
  ) => Pick<Intent, 'requestId' | 'n' | 'startedAtMs'> | undefined
  /** Counts a start of processing and gives the count, this one included. A power cut may lose it, which only grants another try. */
  readonly started: (requestId: string) => number
  /** Processing came back without an outcome: this start killed nobody, and is taken off the count. */
  readonly rested: (requestId: string) => void
  /**
   * Records an outcome and wipes the document. The first one wins, and only that one is `told` to the audit record, after a
   * result for each intent. Throws ERR_INTERNAL for an unknown request.
   */
  readonly outcome: (outcome: RecordedOutcome, told?: AuditEntry) => Recording
  /** Outcomes the store has not confirmed, oldest first. */
  readonly undelivered: (limit: number) => readonly { readonly requestId: string; readonly bytes: string }[]
  /** The store's word on outcomes: each of its answers ends delivery. A power cut may lose it: they are then delivered again. */
  readonly delivered: (
    items: readonly { readonly requestId: string; readonly answer: string }[],
    atMs: number,
  ) => void
  /** This lease is lost: no outcome from here. A newer lease stays open. Wipes the document; a later lease opens the request again. */
  readonly release: (requestId: string, lease: number, atMs: number) => void
  /** A small setting, such as the highest sequence seen. */
  readonly get: (key: string) => string | undefined
  /** Sets it, on the disk at once; undefined forgets it. */
  readonly set: (key: string, value: string | undefined) => void
  /** Keeps what an operator did for the audit record, with the setting that is made by it. */
  readonly operate: (
    told: OperatorEntry,
    setting?: { readonly key: string; readonly value: string | undefined },
  ) => void
  /** What the audit record still has to take over, in order, behind entry `after`; JSON. */
  readonly auditEntries: (
    after: number,
    limit: number,
  ) => readonly { readonly entry: number; readonly record: string }[]
  /**
   * The audit record holds every entry up to this one, and ends with this line. A power cut may lose this word: the record
   * itself tells it again.
   */
  readonly auditAppended: (
    through: number,
    line: { readonly sequence: number; readonly hash: string },
  ) => void
  /** The line of the last such word, and every entry behind it; undefined: there was none. */
  readonly auditTaken: () =>
    | {
        readonly sequence: number
        readonly hash: string
        readonly waiting: readonly { readonly entry: number; readonly record: string }[]
      }
    | undefined
  /**
   * At the start: `through` is the last entry that stands in the audit record. Intents of an earlier process get the result
   * that will ever be known of them. Gives the last entry that the record had taken over before; `through` if not less.
   */
  readonly auditResume: (through: number, atMs: number) => number
  /** Makes every entry so far durable, so that `auditEntries` gives it. */
  readonly auditSettle: () => void
  /** Counts by state, for operators. */
  readonly counts: () => JournalCounts
  /** Forgets finished requests older than `beforeMs`, and overwrites what deletion left in the write-ahead log. */
  readonly purge: (beforeMs: number) => number
  /** Ends use of the state directory. */
  readonly close: () => void
}
