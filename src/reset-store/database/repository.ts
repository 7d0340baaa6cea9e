// What the store remembers, as its rules see it. SQLite stands behind it today; another database implements the same.

import type { Rule } from '../../policy/rule.ts'
import type { AccountState, EffectivePolicy } from '../../protocol/account-state.ts'
import type { HeartbeatCall, PoliciesCall } from '../../protocol/agent-calls.ts'
import type { Notice, OutcomeName } from '../../protocol/codes.ts'
import type { Operation, PublicKey } from '../../protocol/identifiers.ts'
import type { Actor, ResetOptions } from '../../protocol/request-document.ts'

/** A user of the store and the account it is linked to. */
export interface UserRecord {
  readonly name: string
  readonly displayName: string
  readonly directory: string
  readonly anchor: string
  /** The pin: the objectGUID of the entry that the newest inspect found; null before the first. */
  readonly objectGuid: string | null
}

/** The policies of a directory as an agent published them last. */
export interface PoliciesRecord {
  readonly directory: string
  readonly agent: string
  readonly publishedAt: number
  readonly policies: PoliciesCall
}

/** One sealing key of an agent, as the agent's identity vouches for it. */
export interface SealingKeyRecord {
  readonly kid: string
  readonly statement: string
}

/** An enrolled agent. Times in milliseconds since 1970; null where it never happened. */
export interface AgentRecord {
  readonly id: string
  readonly name: string
  readonly identityKey: PublicKey
  /** Oldest first; the last one is what passwords are sealed to. */
  readonly sealingKeys: readonly SealingKeyRecord[]
  readonly directories: readonly string[]
  readonly enrolledAt: number
  readonly lastSeenAt: number | null
  readonly revokedAt: number | null
  readonly heartbeat: HeartbeatCall | null
}

/** An enrolment code: how it is found, the argon2id hash of its secret, and the agent that used it. */
export interface EnrolmentCodeRecord {
  readonly lookup: string
  readonly hash: string
  readonly directories: readonly string[]
  readonly expiresAt: number
  readonly usedBy: string | null
}

/** What is fixed when a request begins. */
export interface NewRequest {
  readonly id: string
  readonly directory: string
  readonly anchor: string
  readonly displayName: string
  readonly operation: Operation
  readonly options: ResetOptions | Record<string, never>
  readonly actor: Actor
  /** The caller who began it and alone may seal it. */
  readonly creator: string
  readonly createdAt: number
  readonly expiresAt: number
  /** Ids of the sealing keys given to the sealer; none where nothing is sealed. */
  readonly offeredKeys: readonly string[]
}

/** What is fixed when the request is signed: when the sealed value arrives, or at once where nothing is sealed. */
export interface Issue {
  /** Of the sealed value; null where nothing is sealed. */
  readonly digest: string | null
  readonly at: number
  readonly keys: readonly string[]
  /** Null for `inspect`, which has no place in the order. */
  readonly sequence: number | null
  /** The signed document, compact JWS. */
  readonly document: string
}

/** How a request ended. `agent` is null where the store itself decided by time. */
export interface Closing {
  readonly outcome: OutcomeName
  readonly agent: string | null
  readonly server: string | null
  readonly marker: string | null
  readonly reason: string | null
  readonly notices: readonly Notice[]
  readonly detail: string | null
  readonly account: AccountState | null
  readonly rule: Rule | null
  readonly policy: EffectivePolicy | null
  readonly at: number
}

/** A request with everything that happened to it. `open` means issued and not closed. */
export interface RequestRecord extends NewRequest {
  readonly state: 'unsealed' | 'open' | 'closed'
  readonly issue: Omit<Issue, 'document'> | null
  /** Null before it is issued, and erased when the request closes. */
  readonly document: string | null
  /** The newest lease; number 0 when there never was one. It holds while `until` lies ahead. */
  readonly lease: {
    readonly number: number
    readonly agent: string | null
    readonly claim: string | null
    readonly until: number
  }
  /** True once a receipt was accepted. */
  readonly received: boolean
  readonly closing: Closing | null
  /** True when an `unknown` was replaced; it is never replaced again. */
  readonly replaced: boolean
}

/** One hand-out of a request. */
export interface LeaseRecord {
  readonly lease: number
  readonly agent: string
  readonly at: number
}

/** A lease that holds: the request, its directory, and the number and claim it was granted under. */
export interface HeldLease {
  readonly id: string
  readonly directory: string
  readonly number: number
  readonly claim: string | null
}

/** One accepted receipt. */
export interface ReceiptRecord extends LeaseRecord {
  readonly server: string
}

/** How a delivered outcome was answered. */
export type OutcomeResult = 'accepted' | 'outcome_closed' | 'request_not_found'

/** A lease as it is granted. */
export interface NewLease {
  readonly number: number
  readonly agent: string
  readonly claim: string
  readonly until: number
  readonly at: number
}

/** Users, administrators, published policies, and single facts of the store. */
export interface StoreRecords {
  readonly readFact: (name: string) => Promise<string | undefined>
  readonly writeFact: (name: string, value: string) => Promise<void>
  readonly addAdministrator: (name: string, tokenDigest: string) => Promise<void>
  readonly listAdministrators: () => Promise<readonly { name: string; tokenDigest: string }[]>
  /** False when the name or the account is taken. */
  readonly addUser: (user: Omit<UserRecord, 'objectGuid'>) => Promise<boolean>
  readonly findUser: (directory: string, anchor: string) => Promise<UserRecord | undefined>
  readonly findUserByName: (name: string) => Promise<UserRecord | undefined>
  /** `askedAt`: when the inspect was asked for. False when a later one has pinned already. */
  readonly pinUser: (
    directory: string,
    anchor: string,
    pin: { readonly objectGuid: string; readonly askedAt: number },
  ) => Promise<boolean>
  /** Users whose name comes after `after`, by name. */
  readonly listUsers: (after: string, most: number) => Promise<readonly UserRecord[]>
  /** Replaces what was published before. */
  readonly writePolicies: (policies: PoliciesRecord) => Promise<void>
  readonly readPolicies: (directory: string) => Promise<PoliciesRecord | undefined>
}

/** Agents, their codes, and the calls they made. */
export interface AgentRecords {
  readonly addAgent: (agent: AgentRecord) => Promise<void>
  readonly findAgent: (id: string) => Promise<AgentRecord | undefined>
  readonly listAgents: () => Promise<readonly AgentRecord[]>
  readonly revokeAgent: (id: string, at: number) => Promise<void>
  /** Replaces the sealing keys of an agent; oldest first. */
  readonly replaceSealingKeys: (id: string, keys: readonly SealingKeyRecord[]) => Promise<void>
  readonly recordHeartbeat: (id: string, heartbeat: HeartbeatCall) => Promise<void>
  /** Remembers the id of a call until it expires, and that its agent was there. */
  readonly rememberCall: (call: {
    jti: string
    expiresAt: number
    agent: string
    at: number
  }) => Promise<void>
  readonly listCalls: (now: number) => Promise<readonly { jti: string; expiresAt: number }[]>
  readonly forgetCalls: (now: number) => Promise<void>
  readonly addEnrolmentCode: (code: EnrolmentCodeRecord) => Promise<void>
  readonly findEnrolmentCode: (lookup: string) => Promise<EnrolmentCodeRecord | undefined>
  /** Forgets the codes that expired until `now`. */
  readonly forgetEnrolmentCodes: (now: number) => Promise<void>
  /** False when another agent used it before. */
  readonly useEnrolmentCode: (lookup: string, agent: string) => Promise<boolean>
}

/** Requests and what happened to them. */
export interface RequestRecords {
  readonly addRequest: (request: NewRequest) => Promise<void>
  readonly findRequest: (id: string) => Promise<RequestRecord | undefined>
  readonly listRequests: (most: number) => Promise<readonly RequestRecord[]>
  /** The newest request of the subject that `creator` began; with `outcome`, of those that ended so. */
  readonly findLastBegun: (
    subject: { readonly directory: string; readonly anchor: string },
    creator: string,
    outcome?: OutcomeName,
  ) => Promise<RequestRecord | undefined>
  /** How many requests of the subject that may write are in this state. */
  readonly countWriting: (directory: string, anchor: string, state: 'unsealed' | 'open') => Promise<number>
  /** The sequence that the subject’s newest request got; 0 when none did. */
  readonly lastSequence: (directory: string, anchor: string) => Promise<number>
  /** Opens the request with its signed document, whose sequence is the subject's newest from now on. */
  readonly issueRequest: (request: NewRequest, issue: Issue) => Promise<void>
  /** Requests whose time is over: what still stands as unsealed or open. */
  readonly findOverdue: (now: number) => Promise<readonly RequestRecord[]>
  /**
   * Open requests that `agent` may be handed, oldest first, one per subject and none of a subject that is out; an inspect
   * counts for itself alone. At most as many of a directory as it has places. `onlyReceived`: inspects, and what has a
   * receipt. Not one whose outcome the agent delivered already: it is done with it, and would only hand it back.
   */
  readonly findClaimable: (
    agent: AgentRecord,
    now: number,
    options: { readonly places: Readonly<Record<string, number>>; readonly onlyReceived: boolean },
  ) => Promise<readonly RequestRecord[]>
  /** The newest leases of open requests that are this agent's and hold. */
  readonly findLeased: (agent: string, now: number) => Promise<readonly HeldLease[]>
  /** Grants a lease. Of a request's leases the newest 32 are kept, and the newest of each agent. */
  readonly grantLease: (id: string, lease: NewLease) => Promise<void>
  readonly setLeaseEnd: (id: string, until: number) => Promise<void>
  /**
   * Records a receipt, and that its lease holds `until` then; from now on the store never says `expired` by itself. The
   * newest 32 are kept, and the newest of each agent and server.
   */
  readonly addReceipt: (id: string, receipt: ReceiptRecord & { readonly until: number }) => Promise<void>
  readonly listLeases: (id: string) => Promise<readonly LeaseRecord[]>
  readonly listReceipts: (id: string) => Promise<readonly ReceiptRecord[]>
  /**
   * The subject's request with the highest sequence, except `butId`, that had a receipt and may have left something in the
   * directory: a write, or a fence of its own. It may be newer than `butId`, which then waited for its agent meanwhile.
   */
  readonly findNewest: (
    directory: string,
    anchor: string,
    butId?: string,
  ) => Promise<RequestRecord | undefined>
  /** Closes or, with `replaces`, replaces an `unknown`. Ends the lease and erases the document. */
  readonly closeRequest: (id: string, closing: Closing, replaces: boolean) => Promise<void>
  /** Those of the keys that a request which is not closed is sealed to, or may yet be. */
  readonly findNeededKeys: (kids: readonly string[]) => Promise<readonly string[]>
  readonly findOutcome: (id: string, digest: string) => Promise<OutcomeResult | undefined>
  readonly countOutcomes: (id: string) => Promise<number>
  /** Keeps a delivered outcome as evidence with the answer it got. */
  readonly addOutcome: (
    id: string,
    outcome: { digest: string; agent: string; jws: string; result: OutcomeResult; at: number },
  ) => Promise<void>
  /**
   * Looks at the next `most` requests closed until then and deletes them with all that is kept of them, save the last
   * one of a subject that had a receipt: the next one's `last` is made from it. Returns where to go on.
   */
  readonly purgeRequests: (walk: {
    readonly closedUntil: number
    readonly after: PurgePlace | undefined
    readonly most: number
  }) => Promise<PurgePlace | undefined>
}

/** The last request that a purge looked at. */
export interface PurgePlace {
  readonly closedAt: number
  readonly id: string
}

/** What can be done within one transaction. */
export type Transaction = StoreRecords & AgentRecords & RequestRecords

/** The store's memory. */
export interface Repository {
  /**
   * Runs `work` in one transaction: durable when the promise resolves, without any effect when it rejects. `work` waits
   * for nothing but the transaction's own methods. Throws ERR_DATABASE_UNUSABLE.
   */
  readonly transaction: <T>(work: (records: Transaction) => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}
