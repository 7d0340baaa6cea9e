// Where the agent can be made to die or to stop: 42 places on the way of a request, each with the source text before and
// after which a call is put. What this design does not have is named too, with the reason.
import type { Operation } from '../../src/protocol/identifiers.ts'
import { ROTATION_POINTS } from './rotation-points.ts'
import type { SourceEdit } from './source-edits.ts'

/** The operations that write. */
export type WritingOperation = Exclude<Operation, 'inspect'>

/** One place in the source. */
export interface CrashPlace {
  readonly file: string
  /** Stands once in the file; the call is put on `side` of it. */
  readonly find: string
  readonly side: 'before' | 'after'
  /** Only then the place counts: an expression in the scope of the place. */
  readonly when?: string
  /** The request's id, as an expression; without it the place knows of none, and is met by any request. */
  readonly request?: string
  /** Of a message on the wire only so many bytes are written before: an expression. */
  readonly bytes?: string
}

/** A point that this design has. */
export interface CrashPoint {
  readonly id: string
  readonly what: string
  readonly before: CrashPlace
  readonly after: CrashPlace
  /** Where OpenLDAP's dialect meets it in another file. */
  readonly openldap?: { readonly before?: CrashPlace; readonly after?: CrashPlace }
  /** Default: all that write. */
  readonly operations?: readonly WritingOperation[]
  /** The crash that comes before this one: a point of the recovery. */
  readonly first?: string
  /** The agent is asked to end while the request is under way. */
  readonly isStopped?: boolean
}

/** A point that this design does not have. */
export interface AbsentPoint {
  readonly id: string
  readonly what: string
  readonly reason: string
}

const at = (file: string, find: string, side: 'before' | 'after', more: Partial<CrashPlace> = {}) => ({
  ...{ file: `src/${file}`, find, side },
  ...more,
})
/** Right before and right after one statement. */
const around = (file: string, find: string, more: Partial<CrashPlace> = {}) => ({
  before: at(file, find, 'before', more),
  after: at(file, find, 'after', more),
})

const INTAKE = 'agent/intake/create-intake.ts'
const TAKE_IN = 'agent/intake/take-in.ts'
const CLAIMED = 'agent/intake/verify-claimed.ts'
const RECEIPTS = 'agent/intake/confirm-receipts.ts'
const CLIENT = 'agent/store-client/create-store-client.ts'
const JOB = 'agent/queue/run-job.ts'
const WORKER = 'agent/queue/queue-worker.ts'
const PROCESS = 'agent/writeback/process-request.ts'
const WRITE_ONCE = 'agent/writeback/write-once.ts'
const WRITE_PASSWORD = 'agent/writeback/write-password.ts'
const ATTEMPT = 'agent/writeback/attempt.ts'
const SEND = 'agent/writeback/send-write.ts'
const CONCLUDE = 'agent/writeback/conclude.ts'
const REPORT = 'agent/writeback/report-outcomes.ts'
const READ_ACCOUNT = 'agent/directory/active-directory/read-account.ts'
const SLAPD_SESSION = 'agent/directory/openldap/writer-session.ts'
const ATTEMPTS = 'agent/journal/attempts.ts'
const AUDIT = 'agent/audit/audit-writer.ts'
const CHANNEL = 'agent/directory/ldap-channel.ts'

const PASSWORDS: readonly WritingOperation[] = ['reset', 'change']
const PARSED = 'const answer = status === 204 ? undefined : parseStrictJson(bytes)'
const IS_OUTCOMES = `endpoint.path === '/v1/outcomes'`
const IS_WRITE = `request.expects === 'modify'`
const AT_SOCKET = 'this.#waiting = waiting'

/** What the design has, in the order in which a request meets it. */
export const CRASH_POINTS: readonly CrashPoint[] = [
  { id: 'C1', what: 'before the store is polled', ...around(INTAKE, 'const held = heldLeases(parts)') },
  {
    ...{ id: 'C2', what: 'the answer with a request is received, not parsed' },
    ...around(CLIENT, PARSED, {
      when: `endpoint.path === '/v1/requests/claim' && bytes.includes('"document"')`,
    }),
  },
  {
    ...{ id: 'C3', what: 'the lease is taken, not journaled' },
    ...around(TAKE_IN, 'const acceptances = parts.journal.accept(verified.map(acceptedOf))', {
      when: 'verified.length > 0',
    }),
  },
  {
    ...{ id: 'C4', what: 'the signature is verified' },
    ...around(CLAIMED, 'const document = await verifyRequest(claimed.document, findKey)'),
  },
  {
    ...{ id: 'C5', what: 'before the receipt is sent' },
    ...around(
      RECEIPTS,
      'const { answer } = await parts.client.receipts({ receipts: [...receipts] }, signal)',
    ),
  },
  {
    ...{ id: 'C6', what: 'the receipt is accepted, not journaled' },
    ...around(
      RECEIPTS,
      'parts.journal.receipt(promised.map(({ request, lease, server }) => ({ requestId: request, lease, server })))',
      { when: 'promised.length > 0' },
    ),
  },
  {
    ...{ id: 'C7', what: 'the worker took the job' },
    ...around(JOB, 'const requestId = String(job.id).slice(PREFIX.length)', {
      request: 'String(job.id).slice(PREFIX.length)',
    }),
  },
  {
    ...{
      id: 'C8',
      what: 'the start is counted (no lane is locked: the marker orders the writes of an account)',
    },
    ...around(PROCESS, 'const starts = parts.journal.started(requestId)', { request: 'requestId' }),
  },
  {
    ...{ id: 'C9', what: 'the account is looked for' },
    before: at(WRITE_ONCE, 'const [account, mayWrite] = await Promise.all', 'before', {
      request: 'work.document.id',
    }),
    after: at(READ_ACCOUNT, 'if (entry === undefined) return undefined', 'before'),
    openldap: { after: at(SLAPD_SESSION, 'const { entry, membership } = found as', 'before') },
  },
  {
    ...{ id: 'C10', what: 'the guards are passed' },
    before: at(WRITE_ONCE, 'const verdict = judgeAccount(parts, work, session, account)', 'before', {
      request: 'work.document.id',
    }),
    after: at(WRITE_ONCE, 'if (verdict) return verdict', 'after', { request: 'work.document.id' }),
  },
  {
    ...{ id: 'C11', what: 'marker and metadata are read' },
    before: at(READ_ACCOUNT, 'const anchor = anchorAttribute === undefined ?', 'before'),
    after: at(WRITE_ONCE, 'if (!mayWrite) return GIVE_UP', 'after', { request: 'work.document.id' }),
    openldap: { before: at(SLAPD_SESSION, 'const policyDn = policyDnOf(entry) ??', 'before') },
  },
  {
    ...{ id: 'C12', what: 'the password is held against the policy', operations: PASSWORDS },
    ...around(WRITE_PASSWORD, 'const certain = await checkPassword(next, candidate, work, session)', {
      request: 'document.id',
    }),
  },
  {
    ...{ id: 'C13', what: 'the intent is journaled, not flushed' },
    before: at(ATTEMPTS, 'insert.run(', 'before', {
      when: `intent.kind === 'write'`,
      request: 'intent.requestId',
    }),
    after: at(ATTEMPTS, 'Number(told !== undefined),\n      )', 'after', {
      when: `intent.kind === 'write'`,
      request: 'intent.requestId',
    }),
  },
  {
    ...{ id: 'C14', what: 'the intent is durable' },
    ...around(ATTEMPT, 'await journal.durable()', { request: 'work.document.id' }),
  },
  {
    ...{ id: 'C15', what: 'the key is unwrapped', operations: PASSWORDS },
    ...around(
      'agent/keys/open-keys.ts',
      'const content = await openSealed(sealed, findOpener(sealed, openers), expected)',
    ),
  },
  {
    ...{ id: 'C16', what: 'the clear password is in its buffer', operations: PASSWORDS },
    before: at('agent/keys/open-keys.ts', 'return await use(splitPasswords(', 'before'),
    after: at(WRITE_PASSWORD, 'const next = passwords.at(-1) as ClearBytes', 'after', {
      request: 'document.id',
    }),
  },
  {
    ...{ id: 'C17', what: 'the modify is encoded' },
    ...around(
      'agent/directory/write-connection.ts',
      'const frame = encodeModify({ messageId, dn, changes, controls })',
    ),
  },
  {
    ...{ id: 'C18', what: 'the first byte is written' },
    before: at(CHANNEL, AT_SOCKET, 'after', { when: IS_WRITE }),
    after: at(CHANNEL, AT_SOCKET, 'after', { when: IS_WRITE, bytes: '1' }),
  },
  {
    ...{ id: 'C19', what: 'half is written; all but the last byte is written' },
    before: at(CHANNEL, AT_SOCKET, 'after', { when: IS_WRITE, bytes: 'request.frame.length >> 1' }),
    after: at(CHANNEL, AT_SOCKET, 'after', { when: IS_WRITE, bytes: 'request.frame.length - 1' }),
  },
  {
    ...{ id: 'C20', what: 'all is written' },
    before: at(CHANNEL, `waiting.phase = 'written'\n      })`, 'after', { when: IS_WRITE }),
    after: at(CHANNEL, 'this.#socket.write(request.frame, (error) => {', 'after', { when: IS_WRITE }),
  },
  {
    ...{ id: 'C21', what: 'the answer is read; it is parsed' },
    before: at(CHANNEL, 'for (const message of this.#splitter.push(chunk)) if', 'before', {
      when: `this.#waiting?.request.expects === 'modify'`,
    }),
    after: at(CHANNEL, `if (response.kind === 'extended' && response.responseName ===`, 'before', {
      when: `waiting?.request.expects === 'modify'`,
    }),
  },
  {
    ...{ id: 'C22', what: 'the answer is handed on' },
    ...around(CHANNEL, `waiting.settle({ kind: 'answered', result: response, entries: waiting.entries })`, {
      when: `waiting.request.expects === 'modify'`,
    }),
  },
  {
    ...{ id: 'C23', what: 'the frame is wiped' },
    ...around(CHANNEL, 'request.frame.fill(0)', { when: IS_WRITE }),
  },
  {
    ...{ id: 'C24', what: 'what became of the write is journaled' },
    ...around(SEND, 'close(answer)', { request: 'work.document.id' }),
  },
  {
    ...{ id: 'C29', what: 'the intent is appended to the audit record' },
    ...around(AUDIT, `await writeAll(place.handle, Buffer.from(lines.join('')), place.size)`, {
      when: `lines.some((line) => line.includes('"kind":"intent"'))`,
    }),
  },
  {
    ...{ id: 'C30', what: 'the outcome in the audit record is flushed' },
    ...around(AUDIT, 'await place.handle.datasync()', {
      when: `lines.some((line) => line.includes('"kind":"outcome"'))`,
    }),
  },
  {
    ...{ id: 'C31', what: 'the outcome is in the outbox' },
    before: at(CONCLUDE, 'const recording = parts.journal.outcome(', 'before', {
      request: 'request.requestId',
    }),
    after: at(CONCLUDE, '  parts.audit.wake()', 'before', { request: 'request.requestId' }),
  },
  {
    ...{ id: 'C32', what: 'the outcome is sent' },
    before: at(CLIENT, 'const response = await options.fetch(url, {', 'before', { when: IS_OUTCOMES }),
    after: at(CLIENT, `const date = Date.parse(response.headers.get('date') ?? '')`, 'before', {
      when: IS_OUTCOMES,
    }),
  },
  {
    ...{ id: 'C33', what: 'the store has answered the outcome' },
    ...around(CLIENT, PARSED, { when: IS_OUTCOMES }),
  },
  {
    ...{ id: 'C34', what: 'the outbox is cleared' },
    before: at(REPORT, 'journal.delivered(\n', 'before'),
    after: at(REPORT, 'answer: result })),\n    clock.wallMs(),\n  )', 'after'),
  },
  {
    ...{ id: 'C35', what: 'the job is completed in the queue' },
    before: at(JOB, `if (result === 'done') return\n`, 'before', { request: 'requestId' }),
    after: at(WORKER, `worker.on('completed', (job) => {`, 'after', { when: `job.name === 'request'` }),
  },
  {
    ...{ id: 'C36', what: 'the sealed value is purged' },
    ...around('agent/journal/outcomes.ts', 'wipe.run(outcome.requestId)', { request: 'outcome.requestId' }),
  },
  {
    ...{ id: 'C37', what: 'recovery: the intents are listed', first: 'C20:after' },
    ...around(PROCESS, 'const tried = parts.journal.intents(open.requestId)', {
      when: 'parts.journal.intents(open.requestId).length > 0',
      request: 'open.requestId',
    }),
  },
  {
    ...{ id: 'C38', what: 'recovery: a lost answer is fenced; it is settled', first: 'C18:before' },
    before: at('agent/writeback/settle-doubt.ts', 'close(answer)', 'before', { request: 'work.document.id' }),
    after: at(PROCESS, 'if (settled) return settled', 'before', { request: 'open.requestId' }),
  },
  {
    ...{ id: 'C42', what: 'a stop lets what is under way finish', isStopped: true },
    ...around('agent/create-agent.ts', 'await work.queues.stop(limitMs * WORK_SHARE)'),
  },
]

const ONE_MODIFY =
  'an unlock is in the one modify of its request, or is that modify itself: C17 to C24 are its points'
const NO_BIND = 'nothing is verified by a bind: the marker that came with the write is read instead'

/** What the design does not have. */
export const ABSENT_POINTS: readonly AbsentPoint[] = [
  { id: 'C25', what: 'a separate unlock is written', reason: ONE_MODIFY },
  { id: 'C26', what: 'the separate unlock is answered', reason: ONE_MODIFY },
  { id: 'C27', what: 'the verification begins', reason: NO_BIND },
  { id: 'C28', what: 'the verification is done', reason: NO_BIND },
]

/** The edits that put every point into the source. */
export const crashEdits = (): readonly SourceEdit[] =>
  [...CRASH_POINTS, ...ROTATION_POINTS].flatMap(({ id, before, after, openldap }) =>
    [
      { name: `${id}:before`, places: [before, openldap?.before] },
      { name: `${id}:after`, places: [after, openldap?.after] },
    ].flatMap(({ name, places }) =>
      places.flatMap((place) => (place === undefined ? [] : [editFor(name, place)])),
    ),
  )

function editFor(name: string, { file, find, side, when, request, bytes }: CrashPlace): SourceEdit {
  const call =
    bytes === undefined
      ? `globalThis.crashPoint('${name}', ${request ?? 'undefined'})`
      : `if (globalThis.crashWriting('${name}', this.#socket, request.frame, ${bytes})) return`
  const code = when === undefined ? `;${call};` : `;if (${when}) { ${call} };`
  return { file, find, replace: side === 'before' ? code + find : find + code }
}
