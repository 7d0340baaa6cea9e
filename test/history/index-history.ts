// A history sorted once by request, account and observer, so that every rule looks things up instead of searching.
import type {
  AuditEvent,
  DirectoryEvent,
  HistoryEvent,
  ProxyEvent,
  StoreEvent,
  SupervisorEvent,
} from './event.ts'
import type { Forgetting } from './lost-promise.ts'
import { type Modify, readModify, resolveOpen } from './modify.ts'

type Kind<Event, Name> = Extract<Event, { readonly kind: Name }>
/** The `store` event of one kind. */
export type StoreSaid<Name extends StoreEvent['kind']> = Kind<StoreEvent, Name>
/** The `proxy` event of one kind. */
export type ProxySaw<Name extends ProxyEvent['kind']> = Kind<ProxyEvent, Name>
/** The `directory` event of one kind. */
export type DirectorySaid<Name extends DirectoryEvent['kind']> = Kind<DirectoryEvent, Name>
/** The `audit` event of one kind. */
export type AuditSaid<Name extends AuditEvent['kind']> = Kind<AuditEvent, Name>
/** The `supervisor` event of one kind. */
export type SupervisorSaid<Name extends SupervisorEvent['kind']> = Kind<SupervisorEvent, Name>

/** All that was seen of one request. `asked` is undefined when the store never heard of it. */
export interface RequestTrack {
  readonly id: string
  asked: StoreSaid<'requested'> | undefined
  verdict: StoreSaid<'verdict'> | undefined
  readonly handedOut: StoreSaid<'handed_out'>[]
  readonly receipts: StoreSaid<'receipt'>[]
  readonly reported: StoreSaid<'reported'>[]
  readonly intents: AuditSaid<'intent'>[]
  readonly outcomes: AuditSaid<'outcome'>[]
  readonly told: AuditSaid<'told'>[]
  /** In the order of arrival. */
  readonly modifies: Modify[]
}

/** All that was seen of one account. */
export interface AccountTrack {
  readonly name: string
  known: DirectorySaid<'account'> | undefined
  end: DirectorySaid<'end'> | undefined
  readonly modifies: Modify[]
  readonly foreign: DirectorySaid<'foreign'>[]
  readonly samples: DirectorySaid<'sample'>[]
  /** The reads of each agent, in the order of time. */
  readonly reads: Map<string | null, ProxySaw<'read'>[]>
}

/** Something that stood in the way for a while; `to` is Infinity when its end was not seen. */
export interface Trouble {
  readonly what: string
  /** Whose it is: servers, agents, `store`, `directory`; several stand together in the way. Empty: everybody's. */
  readonly of: readonly string[]
  readonly from: number
  readonly to: number
}

/** The sorted history. */
export interface History {
  readonly run: SupervisorSaid<'run'>
  readonly faultsOver: number | undefined
  readonly endsAt: number
  readonly requests: ReadonlyMap<string, RequestTrack>
  readonly accounts: ReadonlyMap<string, AccountTrack>
  readonly modifies: readonly Modify[]
  readonly binds: readonly ProxySaw<'bind'>[]
  readonly others: readonly ProxySaw<'other_operation'>[]
  readonly supervisor: readonly SupervisorEvent[]
  /** What the store's word on a pause was when it came to an agent. */
  readonly hearings: readonly StoreSaid<'pause_heard'>[]
  /** By account, the servers that a write of any of its requests may have gone to. */
  readonly promised: ReadonlyMap<string, ReadonlySet<string>>
  readonly troubles: readonly Trouble[]
  /**
   * Requests whose receipt or outcome the store took and then lost, because it was restored from an older copy: what it
   * and other agents say of them afterwards is not built on what happened. Known by the fault `store_forgot`.
   */
  readonly forgotten: ReadonlyMap<string, readonly Forgetting[]>
  /** Every audit record that was read. */
  readonly chains: readonly AuditSaid<'chain'>[]
  /** True when any agent's journal was read. */
  readonly hasAudit: boolean
}

/** Sorts a history. Throws when it does not begin with `run`. */
export function indexHistory(unsorted: readonly HistoryEvent[]): History {
  const events = inOrder(unsorted)
  const run = events.find((event) => event.observer === 'supervisor' && event.kind === 'run')
  if (run?.observer !== 'supervisor' || run.kind !== 'run')
    throw new Error('a history begins with the event `run`')
  const sorting = createSorting()
  for (const event of events) sorting.take(event)
  sorting.attachAnswers()
  for (const account of sorting.accounts.values()) resolveOpen(account)
  const { requests, accounts, modifies, binds, others, supervisor } = sorting
  const over = supervisor.find((event) => event.kind === 'faults_over')
  return {
    run,
    faultsOver: over?.at,
    endsAt: events.at(-1)?.at ?? 0,
    ...{ requests, accounts, modifies, binds, others, supervisor },
    ...{ hearings: sorting.hearings, chains: sorting.chains, promised: findPromised(requests) },
    troubles: findTroubles(supervisor, sorting.pauses),
    forgotten: findForgotten(supervisor),
    hasAudit: sorting.hasAudit(),
  }
}

// Most histories are in order already, and a sort of thousands of events would be the dearest step.
function inOrder(events: readonly HistoryEvent[]): readonly HistoryEvent[] {
  const isSorted = events.every((event, index) => index === 0 || (events[index - 1]?.at ?? 0) <= event.at)
  return isSorted ? events : events.toSorted((a, b) => a.at - b.at)
}

function createSorting() {
  const requests = new Map<string, RequestTrack>()
  const accounts = new Map<string, AccountTrack>()
  const byId = new Map<string, Modify>()
  const modifies: Modify[] = []
  const binds: ProxySaw<'bind'>[] = []
  const answers: ProxySaw<'answered'>[] = []
  const others: ProxySaw<'other_operation'>[] = []
  const supervisor: SupervisorEvent[] = []
  const pauses: StoreSaid<'pause'>[] = []
  const hearings: StoreSaid<'pause_heard'>[] = []
  const chains: AuditSaid<'chain'>[] = []
  let hasAudit = false
  const request = (id: string) => findOrMake(requests, id, emptyRequest)
  const account = (name: string) => findOrMake(accounts, name, emptyAccount)
  const takeProxy = (event: ProxyEvent) => {
    if (event.kind === 'bind') binds.push(event)
    else if (event.kind === 'other_operation') others.push(event)
    else if (event.kind === 'read')
      findOrMake(account(event.account).reads, event.agent, () => []).push(event)
    else if (event.kind === 'answered') answers.push(event)
    else {
      const modify = readModify(event)
      byId.set(`${event.server} ${event.id}`, modify)
      modifies.push(modify)
      account(event.account).modifies.push(modify)
      if (modify.request !== undefined) request(modify.request).modifies.push(modify)
    }
  }
  // In a second pass: times are whole milliseconds, and an answer may stand before its modify.
  const attachAnswers = () => {
    for (const { server, id, code, hex, at: answeredAt } of answers) {
      const modify = byId.get(`${server} ${id}`)
      if (modify) Object.assign(modify, { code, hex, answeredAt, effect: effectOf(code) })
    }
  }
  const take = (event: HistoryEvent) => {
    if (event.observer === 'proxy') takeProxy(event)
    else if (event.observer === 'store' && event.kind === 'pause') pauses.push(event)
    else if (event.observer === 'store' && event.kind === 'pause_heard') hearings.push(event)
    else if (event.observer === 'store') takeStore(request(event.request), event)
    else if (event.observer === 'directory') takeDirectory(account(event.account), event)
    else if (event.observer === 'supervisor') supervisor.push(event)
    else if (event.kind === 'chain') chains.push(event)
    else {
      hasAudit = true
      const track = request(event.request)
      if (event.kind === 'intent') track.intents.push(event)
      else if (event.kind === 'told') track.told.push(event)
      else track.outcomes.push(event)
    }
  }
  return {
    ...{ requests, accounts, modifies, binds, others, supervisor, pauses, hearings, chains },
    ...{ take, attachAnswers },
    hasAudit: () => hasAudit,
  }
}

const effectOf = (code: number): Modify['effect'] => (code === 0 ? 'landed' : 'refused')

function takeStore(track: RequestTrack, event: Exclude<StoreEvent, { kind: 'pause' | 'pause_heard' }>): void {
  if (event.kind === 'requested') track.asked = event
  else if (event.kind === 'verdict') track.verdict = event
  else if (event.kind === 'handed_out') track.handedOut.push(event)
  else if (event.kind === 'receipt') track.receipts.push(event)
  else track.reported.push(event)
}

function takeDirectory(track: AccountTrack, event: DirectoryEvent): void {
  if (event.kind === 'account') track.known = event
  else if (event.kind === 'foreign') track.foreign.push(event)
  else if (event.kind === 'sample') track.samples.push(event)
  else track.end = event
}

function findOrMake<Key, Value>(map: Map<Key, Value>, key: Key, make: (key: Key) => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make(key)
  map.set(key, made)
  return made
}

const emptyRequest = (id: string): RequestTrack => ({
  id,
  asked: undefined,
  verdict: undefined,
  handedOut: [],
  receipts: [],
  reported: [],
  intents: [],
  outcomes: [],
  told: [],
  modifies: [],
})

const emptyAccount = (name: string): AccountTrack => ({
  name,
  known: undefined,
  end: undefined,
  modifies: [],
  foreign: [],
  samples: [],
  reads: new Map(),
})

function findPromised(requests: ReadonlyMap<string, RequestTrack>): ReadonlyMap<string, ReadonlySet<string>> {
  const promised = new Map<string, Set<string>>()
  for (const { asked, receipts } of requests.values())
    for (const { answer, server } of receipts)
      if (asked && answer === 'accepted') findOrMake(promised, asked.account, () => new Set()).add(server)
  return promised
}

function findForgotten(supervisor: readonly SupervisorEvent[]): ReadonlyMap<string, readonly Forgetting[]> {
  const forgotten = new Map<string, Forgetting[]>()
  for (const event of supervisor)
    if (event.kind === 'fault' && event.name === 'store_forgot')
      findOrMake(forgotten, event.target, () => []).push({ since: event.since ?? 0, at: event.at })
  return forgotten
}

/** What began and ended: servers out of reach, processes that stood still, faults, pauses of the store. */
function findTroubles(
  supervisor: readonly SupervisorEvent[],
  pauses: readonly StoreSaid<'pause'>[],
): readonly Trouble[] {
  const open = new Map<string, Trouble>()
  const troubles: Trouble[] = []
  const turn = (name: string, of: string, isOn: boolean, at: number) => {
    const what = `${name} ${of}`
    const known = open.get(what)
    if (isOn && !known)
      open.set(what, { what, of: of.split(' ').filter(Boolean), from: at, to: Number.POSITIVE_INFINITY })
    else if (!isOn && known) {
      open.delete(what)
      troubles.push({ ...known, to: at })
    }
  }
  for (const event of supervisor) {
    if (event.kind === 'server') turn('server', event.server, !event.isReachable, event.at)
    else if (event.kind === 'process')
      turn('process', event.agent, !(event.what === 'started' || event.what === 'continued'), event.at)
    else if (event.kind === 'fault' && event.phase === 'once')
      troubles.push({
        what: `fault ${event.name}`,
        of: event.target.split(' '),
        from: event.at,
        to: event.at,
      })
    else if (event.kind === 'fault')
      turn(`fault ${event.name}`, event.target, event.phase === 'begin', event.at)
  }
  for (const { on, at } of pauses) turn('pause', '', on, at)
  return [...troubles, ...open.values()]
}
