// What an operator may ask of the queue, and be told. Ids, stages, times and servers; never a name, a password or a sealed value.

/**
 * `accepted`: taken in, its receipt is not confirmed yet. `waiting`: nothing is under way. `under_way`: it is being carried out.
 * `in_doubt`: a write of it may have been sent, and is to be settled.
 */
export type Stage = 'accepted' | 'waiting' | 'under_way' | 'in_doubt'

/** An open request. Times are store time, milliseconds since 1970. */
export interface QueuedRequest {
  readonly id: string
  readonly directory: string
  /** `unreadable`: its document can no longer be verified. */
  readonly operation: string
  readonly stage: Stage
  readonly issuedAt: number | null
  readonly expiresAt: number
  readonly lease: number
  /** Writes and fences so far. */
  readonly attempts: number
  /** Of the receipt. */
  readonly server: string | null
  /** How long until it is looked at again; null: it is being carried out, or its turn is not known. */
  readonly nextLookInMs: number | null
}

/** Who has stopped writing. */
export interface PauseView {
  readonly store: boolean
  readonly here: { readonly by: string; readonly at: number } | null
}

/** Open requests, in the order of their turn; `total` counts those that the limit left out, too. */
export interface QueueList {
  readonly now: number
  readonly pause: PauseView
  readonly total: number
  readonly requests: readonly QueuedRequest[]
}

/** One write or fence that was tried. */
export interface AttemptView {
  readonly n: number
  /** `reset`, `change`, `unlock`, or `fence`. */
  readonly action: string
  readonly server: string
  readonly startedAt: number
  /** `accepted`, `refused:…`, `not_sent`, `lost`; null: none is known. */
  readonly answer: string | null
}

/** How a request ended here. */
export interface EndView {
  /** `undelivered`: the store has not confirmed the outcome. `given_up`: left to another agent, without an outcome. */
  readonly state: 'undelivered' | 'delivered' | 'given_up'
  readonly at: number
  readonly outcome: string | null
  readonly reason: string | null
  readonly detail: string | null
  readonly server: string | null
  /** The store's word on the outcome. */
  readonly storeAnswer: string | null
}

/** One request with its history. `open` is null when it has ended, `ended` while it has not. */
export interface RequestView {
  readonly now: number
  readonly id: string
  readonly directory: string
  /** The account's anchor. */
  readonly subject: string
  readonly open: QueuedRequest | null
  readonly ended: EndView | null
  /** Agents that held it before, and where they may have written. */
  readonly earlier: readonly { readonly agent: string; readonly server: string }[]
  readonly attempts: readonly AttemptView[]
}

/** `looked`: it was, and `request` is how it stands now. `busy`: it is still being carried out. */
export interface RetryAnswer {
  readonly result: 'looked' | 'busy' | 'not_open'
  readonly request: RequestView | null
}

/**
 * `dropped`: it ended failed. `ended`: it had come to another end. `in_doubt`, `not_held`, `not_open`: it was not dropped. `busy`: it
 * is still being carried out, and may end dropped when the wish was taken already.
 */
export interface DropAnswer {
  readonly result: 'dropped' | 'ended' | 'in_doubt' | 'not_held' | 'busy' | 'not_open'
  readonly request: RequestView | null
}

/** What operators do at the queue. Everything may throw ERR_JOURNAL_UNUSABLE. `by` goes into the audit record. */
export interface QueueDesk {
  readonly list: (directory: string | undefined, limit: number) => Promise<QueueList>
  /** undefined: this agent does not know it, or no longer. */
  readonly show: (requestId: string) => Promise<RequestView | undefined>
  /** Looks at a request now. Throws ERR_REDIS_UNREACHABLE while the queue is not open yet. */
  readonly retry: (requestId: string) => Promise<RetryAnswer>
  /** Ends a request of which nothing may have been written. Throws as `retry`. */
  readonly drop: (requestId: string, by: string) => Promise<DropAnswer>
  /** Stops writing here, also over a restart, whatever the store says. */
  readonly pause: (by: string) => PauseView
  /** Takes that back; a pause of the store holds on. */
  readonly resume: (by: string) => PauseView
}
