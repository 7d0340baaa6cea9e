// The twenty bugs that the checker must find: each is the product's own source, edited as a careless hand would have
// written it. Where several walls stand behind each other, the careless hand built none of them.
import { FIRST_OPERATED_SEED } from '../simulation/operator-deeds.ts'
import type { SourceEdit } from '../test-build/source-edits.ts'

/** One bug. */
export interface PlantedBug {
  readonly name: string
  /** One sentence: what is wrong. */
  readonly what: string
  /** The first of the seeds that may show it, and the most that are tried beside the recorded one; else the first, and as many as asked. */
  readonly from?: number
  readonly most?: number
  readonly edits: readonly SourceEdit[]
}

const PROCESS = 'src/agent/writeback/process-request.ts'
const JUDGE = 'src/agent/writeback/judge-account.ts'
const MODIFY = 'src/agent/directory/active-directory/password-modify.ts'
const WRITE_ONCE = 'src/agent/writeback/write-once.ts'
const WRITE_PASSWORD = 'src/agent/writeback/write-password.ts'
const DOUBT = 'src/agent/decisions/judge-doubt.ts'

const edit = (file: string, find: string, replace: string): SourceEdit => ({ file, find, replace })

/** A marker that says "done" is taken for any other one of this request. */
const BLIND_TO_MARKER = edit(JUDGE, `if (position.kind === 'applied') {`, `if (false as boolean) {`)
const SENT = `    const isPolicy = sent.answer.kind === 'refused'`

/** All bugs, in the order of the facts. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'retry-without-resolving',
    what: 'after a lost answer the write is sent again, without a look at what became of the first one',
    edits: [edit(PROCESS, 'const isInDoubt = isDoubtful(doubt)', 'const isInDoubt = false'), BLIND_TO_MARKER],
  },
  {
    name: 'no-compare-and-set',
    what: 'the marker is replaced, whatever it was',
    edits: [
      edit(
        'src/agent/directory/marker-move.ts',
        `  if (marker.before === undefined) return [add]`,
        `  if (marker.after) return [{ ...add, operation: 'replace' }]`,
      ),
    ],
  },
  {
    name: 'ack-before-write',
    what: 'applied is said as soon as the write is under way',
    edits: [
      edit(
        WRITE_ONCE,
        `  return readAnswer(parts, work, session, account, await tryWrite(parts, work, session, account, policy))`,
        `  tryWrite(parts, work, session, account, policy).catch(() => {})
  return end({ outcome: 'applied' }, here)`,
      ),
    ],
  },
  {
    name: 'ack-before-journal',
    what: 'the directory acknowledges a write before the journal knows that it was meant',
    edits: [
      edit(
        'src/agent/writeback/attempt.ts',
        `  const entry = parts.journal.intent(intent, told)`,
        `  const entry = 0`,
      ),
      edit(
        'src/agent/writeback/attempt.ts',
        `    close: (answer) => keepAnswer(parts, intent, answer, told),`,
        `    close: (answer) => {
      parts.journal.intent(intent, told)
      keepAnswer(parts, intent, answer, told)
    },`,
      ),
    ],
  },
  {
    name: 'verify-with-old-password',
    what: 'a change is verified by a bind with the old password, which must fail',
    edits: [
      edit(
        WRITE_PASSWORD,
        SENT,
        `    if (document.operation === 'change' && sent.answer.kind === 'accepted')
      await session.bind(account.objectGuid, passwords[0])
${SENT}`,
      ),
    ],
  },
  {
    name: 'lease-as-only-fence',
    what: 'whoever holds the lease goes on after a lost answer, and fences nothing',
    edits: [
      edit(
        'src/agent/writeback/settle-doubt.ts',
        `detail: OVERWRITTEN })
        : fence(parts, work, session, account)`,
        `detail: OVERWRITTEN })
        : undefined`,
      ),
    ],
  },
  {
    name: 'timeout-means-refused',
    what: 'a lost answer is taken for a refusal',
    edits: [
      edit(
        WRITE_ONCE,
        `  if (answer.kind === 'refused') return readRefusal(`,
        `  if (answer.kind === 'lost') return end({ outcome: 'refused', reason: 'password_policy' }, here)
  if (answer.kind === 'refused') return readRefusal(`,
      ),
    ],
  },
  {
    name: '56-means-wrong-password',
    what: 'a change whose answer was lost is sent again, and the old password that is gone by then is called wrong',
    edits: [
      edit(
        PROCESS,
        'const isInDoubt = isDoubtful(doubt)',
        `const isInDoubt = isDoubtful(doubt) && document.operation !== 'change'`,
      ),
      edit(
        JUDGE,
        `if (position.kind === 'applied') {`,
        `if (position.kind === 'applied' && document.operation !== 'change') {`,
      ),
    ],
  },
  {
    name: 'history-means-refused',
    what: 'a reset whose answer was lost is sent again, and what OpenLDAP then says of the history is believed',
    edits: [
      edit(
        PROCESS,
        'const isInDoubt = isDoubtful(doubt)',
        `const isInDoubt = isDoubtful(doubt) && document.operation !== 'reset'`,
      ),
      edit(
        JUDGE,
        `if (position.kind === 'applied') {`,
        `if (position.kind === 'applied' && document.operation !== 'reset') {`,
      ),
      edit(
        'src/agent/writeback/check-password.ts',
        `?? { reason: 'password_policy', rule`,
        `?? { reason: 'password_in_history', rule`,
      ),
    ],
  },
  {
    name: 'ignore-expiry-at-write',
    what: 'a request is written however late it is',
    edits: [
      edit(
        'src/agent/writeback/find-obstacle.ts',
        `  if (isExpired(work.document, parts.storeTime.nowMs())) return end({ outcome: 'expired' })
  if (parts.storeTime.isUncertain())`,
        `  if (parts.storeTime.isUncertain())`,
      ),
    ],
  },
  {
    name: 'dedupe-by-job-only',
    what: 'only the job in the queue keeps a request from being written twice: neither journal nor marker is asked',
    edits: [
      edit(
        PROCESS,
        `  if (landed) return endLanded(landed)`,
        `  if (landed && !open) return endLanded(landed)`,
      ),
      edit(
        PROCESS,
        `const doubt = { unanswered, earlier: open.earlier }`,
        `const doubt = { unanswered: [], earlier: [] }`,
      ),
      BLIND_TO_MARKER,
    ],
  },
  {
    name: 'plaintext-in-error',
    what: 'an error quotes the password that was refused',
    edits: [
      edit(
        WRITE_PASSWORD,
        SENT,
        `    if (sent.answer.kind === 'refused') work.log.warn('refused', { error: new Error(String(next)).message })
${SENT}`,
      ),
    ],
  },
  {
    name: 'follow-redirect',
    what: 'a redirect of the store is followed',
    edits: [
      edit(
        'src/agent/store-client/create-store-client.ts',
        `    const response = await options.fetch(url, {
      method: endpoint.method,
      headers,
      body,
      redirect: 'manual',
      signal: deadline.signal,
    })`,
        `    const init = { method: endpoint.method, headers, body, redirect: 'manual', signal: deadline.signal }
    let response = await options.fetch(url, init)
    if (response.status === 307) response = await options.fetch(response.headers.get('location'), init)`,
      ),
    ],
  },
  {
    name: 'retry-on-other-server',
    what: 'what is in doubt on one server is tried again on another one',
    edits: [
      edit(
        PROCESS,
        `const doubt = { unanswered, earlier: open.earlier }`,
        `const doubt = { unanswered: [], earlier: [] }`,
      ),
      edit(DOUBT, `if (previous === null) return true`, `if (previous !== undefined) return true`),
    ],
  },
  {
    name: 'write-without-receipt',
    what: 'a write begins while the store has not said yes to its receipt',
    edits: [
      edit(
        PROCESS,
        `const isPromised = open.receiptServer === session.server || parts.confirmReceipt(open, session.server)`,
        `const isPromised = true`,
      ),
    ],
  },
  {
    name: 'write-while-paused',
    what: 'what an agent holds already is written, though the store has said that all writing is paused',
    edits: [edit('src/agent/writeback/find-obstacle.ts', `parts.isPaused() || parts.limits`, `parts.limits`)],
  },
  {
    name: 'unlock-always',
    what: 'every reset clears the lockout',
    edits: [edit(MODIFY, `...(effect.unlock ? [`, `...(effect.kind ? [`)],
  },
  {
    name: 'accept-by-account-name',
    what: 'the account is looked up by its name',
    edits: [
      edit(
        'src/agent/directory/active-directory/find-subject.ts',
        `    return async (client) => (await readAccount(client, anchor, operation, place))?.account`,
        `    return async (client) => {
      const filter = new EqualityFilter({ attribute: 'sAMAccountName', value: subject.displayName })
      const [entry] = await client.search(place.domainDn, { scope: 'sub', filter, attributes: ['objectGUID'] })
      const found = entry && guidText(bytesOf(entry, 'objectGUID'))
      return found === undefined ? undefined : (await readAccount(client, found, operation, place))?.account
    }`,
      ),
    ],
  },
  {
    name: 'deaf-to-local-pause',
    what: 'a pause that an operator set on the host itself holds nothing back',
    ...{ from: FIRST_OPERATED_SEED, most: 8 },
    edits: [
      edit(
        'src/agent/pause.ts',
        'isPaused: () => isStorePaused || here !== undefined',
        'isPaused: () => isStorePaused',
      ),
    ],
  },
  {
    name: 'drop-in-doubt',
    what: 'what an operator wants dropped ends, though a write of it may have been sent',
    ...{ from: FIRST_OPERATED_SEED, most: 8 },
    edits: [
      edit(
        PROCESS,
        '  const isInDoubt = isDoubtful(doubt)',
        `  const dropped = parts.drops.find(open.requestId)
  if (dropped) return dropped
  const isInDoubt = isDoubtful(doubt)`,
      ),
      edit(
        'src/agent/create-queue-desk.ts',
        `  isDoubtful({ unanswered: journal.unsettledIntents(requestId), earlier })`,
        `  isDoubtful({ unanswered: journal.unsettledIntents(requestId).slice(0, 0), earlier: earlier.slice(0, 0) })`,
      ),
    ],
  },
]
