// Small histories by hand, for the tests of the checker: a well-behaved request in a few words, and what to change of it.
import { formatMarker } from '../../src/protocol/marker.ts'
import type {
  AuditEvent,
  DirectoryEvent,
  HistoryEvent,
  ProxyEvent,
  SeenChange,
  StoreEvent,
  SupervisorEvent,
} from './event.ts'

type Part<Event, Kind extends string> = Partial<Omit<Extract<Event, { kind: Kind }>, 'observer' | 'kind'>>

/** Two accounts and the one server of most histories. */
export const ANNA = 'anna'
export const BERT = 'bert'
export const DC1 = 'dc1'
export const DC2 = 'dc2'

/** The id of the request with a small number, which is its sequence as well. */
export const idOf = (number: number): string => `01900000-0000-7000-8000-${String(number).padStart(12, '0')}`

/** The text of a marker. Sequence 10 × number, so that there is room between. */
export const markerOf = (number: number, flag: 'a' | 'f' = 'a', n = 1, lease = 1): string =>
  formatMarker({
    store: '5a5a0001',
    sequence: number * 10,
    requestId: idOf(number),
    flag: flag === 'a' ? 'applied' : 'fenced',
    lease,
    n,
    passwordVersion: 3,
  })

/** The first event. */
export const run = (fields: Part<SupervisorEvent, 'run'> = {}): HistoryEvent => ({
  at: 0,
  observer: 'supervisor',
  kind: 'run',
  name: 'by hand',
  seed: 1,
  drainMs: 30_000,
  historyRequired: false,
  dialect: 'active-directory',
  ...fields,
})

/** An account that may be written. */
export const account = (name: string, fields: Part<DirectoryEvent, 'account'> = {}): HistoryEvent => ({
  at: 0,
  observer: 'directory',
  kind: 'account',
  account: name,
  directory: 'corp',
  mayBeWritten: true,
  lockoutThreshold: 5,
  minimumLength: 7,
  ...fields,
})

/** A request as it was asked for at `at`; it lives five minutes. */
export const requested = (number: number, fields: Part<StoreEvent, 'requested'> = {}): HistoryEvent => {
  const at = fields.at ?? 100
  return {
    at,
    observer: 'store',
    kind: 'requested',
    request: idOf(number),
    operation: 'reset',
    directory: 'corp',
    account: ANNA,
    sequence: number * 10,
    issuedAt: at,
    expiresAt: at + 300_000,
    unlock: false,
    mustChange: false,
    ...fields,
  }
}

/** A hand-out to agent a1 under lease 1. */
export const handedOut = (number: number, fields: Part<StoreEvent, 'handed_out'> = {}): HistoryEvent => ({
  at: 110,
  observer: 'store',
  kind: 'handed_out',
  request: idOf(number),
  agent: 'a1',
  lease: 1,
  ...fields,
})

/** An accepted receipt. */
export const receipt = (number: number, fields: Part<StoreEvent, 'receipt'> = {}): HistoryEvent => ({
  at: 120,
  observer: 'store',
  kind: 'receipt',
  request: idOf(number),
  agent: 'a1',
  lease: 1,
  server: DC1,
  answer: 'accepted',
  ...fields,
})

/** A read of anna by a1. */
export const read = (at: number, fields: Part<ProxyEvent, 'read'> = {}): HistoryEvent => ({
  at,
  observer: 'proxy',
  kind: 'read',
  server: DC1,
  agent: 'a1',
  account: ANNA,
  ...fields,
})

/** The changes of a marker that moves. */
export const move = (before: string | null, after: string): SeenChange[] => [
  ...(before === null
    ? []
    : [{ operation: 'delete' as const, attribute: 'adminDisplayName', values: [before] }]),
  { operation: 'add', attribute: 'adminDisplayName', values: [after] },
]

/** The change of a reset. */
export const setTo = (number: number): SeenChange => ({
  operation: 'replace',
  attribute: 'unicodePwd',
  values: [`new:${idOf(number)}`],
})

/** The change that clears a lockout. */
export const UNLOCK: SeenChange = { operation: 'replace', attribute: 'lockoutTime', values: ['0'] }

/** The changes of a change of password. */
export const changeOf = (number: number): SeenChange[] => [
  { operation: 'delete', attribute: 'unicodePwd', values: [`old:${idOf(number)}`] },
  { operation: 'add', attribute: 'unicodePwd', values: [`new:${idOf(number)}`] },
]

/** A modify of anna by a1 and its answer; without a code nobody saw one. */
export function modify(
  id: number,
  changes: readonly SeenChange[],
  fields: Part<ProxyEvent, 'modify'> & { readonly code?: number | null; readonly hex?: string } = {},
): HistoryEvent[] {
  const { code = 0, hex, ...rest } = fields
  const at = rest.at ?? 200
  const server = rest.server ?? DC1
  const seen: HistoryEvent = {
    at,
    observer: 'proxy',
    kind: 'modify',
    server,
    id,
    agent: 'a1',
    sentAt: at,
    account: ANNA,
    changes,
    controls: [],
    isSecure: true,
    ...rest,
  }
  if (code === null) return [seen]
  const answered: HistoryEvent = {
    at: at + 1,
    observer: 'proxy',
    kind: 'answered',
    server,
    id,
    code,
    ...(hex === undefined ? {} : { hex }),
  }
  return [seen, answered]
}

/** A signed delivery by a1, accepted. */
export const reported = (
  number: number,
  outcome: string,
  fields: Part<StoreEvent, 'reported'> = {},
): HistoryEvent => ({
  at: 300,
  observer: 'store',
  kind: 'reported',
  request: idOf(number),
  agent: 'a1',
  lease: 1,
  outcome,
  reason: null,
  notices: ['history_not_enforced'],
  server: DC1,
  digest: `digest ${number}`,
  isSigned: true,
  answer: 'accepted',
  ...fields,
})

/** What the user is told at the end. */
export const verdict = (
  number: number,
  outcome: string | null,
  fields: Part<StoreEvent, 'verdict'> = {},
): HistoryEvent => ({
  at: 90_000,
  observer: 'store',
  kind: 'verdict',
  request: idOf(number),
  outcome,
  reason: null,
  ...fields,
})

/** The end state of anna. */
export const ended = (
  password: string | null,
  marker: string | null,
  fields: Part<DirectoryEvent, 'end'> = {},
): HistoryEvent => ({
  at: 89_000,
  observer: 'directory',
  kind: 'end',
  account: ANNA,
  password,
  marker,
  isLocked: false,
  ...fields,
})

/** Somebody else's doing to anna. */
export const foreign = (
  at: number,
  what: Extract<DirectoryEvent, { kind: 'foreign' }>['what'],
  fields: Part<DirectoryEvent, 'foreign'> = {},
): HistoryEvent => ({
  at,
  observer: 'directory',
  kind: 'foreign',
  account: ANNA,
  what,
  server: null,
  ...fields,
})

/** A look at the lockout of anna. */
export const sample = (at: number, badPasswordCount: number, isLocked = false): HistoryEvent => ({
  at,
  observer: 'directory',
  kind: 'sample',
  account: ANNA,
  badPasswordCount,
  isLocked,
})

/** An intent of a1. */
export const intent = (
  number: number,
  markerAfter: string,
  fields: Partial<Extract<AuditEvent, { kind: 'intent' }>> = {},
): HistoryEvent => ({
  at: 150,
  observer: 'audit',
  kind: 'intent',
  agent: 'a1',
  request: idOf(number),
  n: 1,
  effect: 'reset',
  server: DC1,
  markerBefore: null,
  markerAfter,
  answer: 'accepted',
  ...fields,
})

/** An outcome that a1 wrote down. */
export const outcome = (number: number, outcome: string, at = 250): HistoryEvent => ({
  at,
  observer: 'audit',
  kind: 'outcome',
  agent: 'a1',
  request: idOf(number),
  outcome,
})

/** A line of a1's audit record. */
export const told = (
  number: number,
  what: 'intent' | 'result' | 'outcome',
  fields: Partial<Extract<AuditEvent, { kind: 'told' }>> = {},
): HistoryEvent => ({
  ...{ at: 150, observer: 'audit', kind: 'told', agent: 'a1', request: idOf(number), what },
  ...{
    n: what === 'outcome' ? 0 : 1,
    marker: markerOf(number),
    answer: what === 'result' ? 'accepted' : null,
  },
  ...fields,
})

/** The audit record of a1, read at the end. */
export const chain = (faults: readonly string[] = []): HistoryEvent => ({
  ...{ at: 900, observer: 'audit', kind: 'chain', agent: 'a1', records: 9, faults, isClosed: true },
})

/** What happens to a process. */
export const process = (
  at: number,
  what: Extract<SupervisorEvent, { kind: 'process' }>['what'],
  fields: Part<SupervisorEvent, 'process'> = {},
): HistoryEvent => ({ at, observer: 'supervisor', kind: 'process', agent: 'a1', what, ...fields })

/** From here on nothing disturbs. */
export const faultsOver = (at = 1_000): HistoryEvent => ({ at, observer: 'supervisor', kind: 'faults_over' })

/** A reset of anna that goes well from its beginning to its end; `changes` takes the place of its modify. */
export const goodReset = (number = 1, changes = modify(1, [...move(null, markerOf(1)), setTo(1)])) => [
  requested(number),
  handedOut(number),
  receipt(number),
  read(180),
  ...changes,
  reported(number, 'applied'),
  verdict(number, 'applied'),
]

/** A history in order, with its first event and anna. */
export const tale = (...events: readonly (HistoryEvent | readonly HistoryEvent[])[]): HistoryEvent[] => {
  const all = events.flat()
  const isRun = (event: HistoryEvent) => event.observer === 'supervisor' && event.kind === 'run'
  const isAnna = (event: HistoryEvent) =>
    event.observer === 'directory' && event.kind === 'account' && event.account === ANNA
  return [
    all.find(isRun) ?? run(),
    ...(all.some(isAnna) ? [] : [account(ANNA)]),
    ...all.filter((event) => !isRun(event)),
  ].toSorted((a, b) => a.at - b.at)
}
