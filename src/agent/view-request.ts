// One request as the journal remembers it, for operators: how far it is, what was tried, how it ended.
import type { AgentBase } from './agent-base.ts'
import type { Queues } from './create-queues.ts'
import { isDoubtful } from './decisions/judge-doubt.ts'
import type { AnsweredIntent, EndedRequest, OpenRequest } from './journal/journal.ts'
import type { AttemptView, EndView, QueuedRequest, RequestView, Stage } from './ops/queue-desk.ts'
import { readOwnOutcome } from './read-own-outcome.ts'

type Base = Pick<AgentBase, 'journal' | 'storeTime' | 'clock' | 'documents'>

/** The view; undefined when the journal does not know the request, or no longer. Throws ERR_JOURNAL_UNUSABLE. */
export async function viewRequest(
  base: Base,
  queues: Pick<Queues, 'nextLook'>,
  requestId: string,
): Promise<RequestView | undefined> {
  const open = base.journal.find(requestId)
  const ended = open ? undefined : base.journal.findEnded(requestId)
  const known = open ?? ended
  if (!known) return undefined
  const intents = base.journal.intents(requestId)
  return {
    ...{ now: Math.round(base.storeTime.nowMs()), id: requestId },
    ...{ directory: known.directory, subject: known.subject, earlier: known.earlier },
    open: open ? await viewOpen(base, queues, open, intents) : null,
    ended: ended ? viewEnd(ended) : null,
    attempts: intents.map(viewAttempt),
  }
}

async function viewOpen(
  base: Base,
  queues: Pick<Queues, 'nextLook'>,
  open: OpenRequest,
  intents: readonly AnsweredIntent[],
): Promise<QueuedRequest> {
  const { requestId, directory, lease, sequence } = open
  const document = await base.documents.read(open).catch(() => undefined)
  const next = queues.nextLook(directory, requestId)
  return {
    ...{ id: requestId, directory, lease },
    operation: document?.operation ?? 'unreadable',
    stage: stageOf(open, intents, next === 'now'),
    issuedAt: document?.issuedAt ?? (sequence > 0 ? sequence : null),
    expiresAt: open.expiresAtMs,
    attempts: intents.length,
    server: open.receiptServer ?? null,
    nextLookInMs: typeof next === 'number' ? Math.max(0, Math.round(next - base.clock.wallMs())) : null,
  }
}

function stageOf(open: OpenRequest, intents: readonly AnsweredIntent[], isUnderWay: boolean): Stage {
  if (isUnderWay) return 'under_way'
  const unanswered = intents.filter(({ answer }) => answer === undefined || answer === 'lost')
  if (isDoubtful({ unanswered, earlier: open.earlier })) return 'in_doubt'
  return open.receiptServer === undefined ? 'accepted' : 'waiting'
}

const viewAttempt = ({ n, kind, effect, server, startedAtMs, answer }: AnsweredIntent): AttemptView => ({
  ...{ n, server, answer: answer ?? null },
  action: kind === 'fence' ? 'fence' : (effect ?? 'write'),
  startedAt: startedAtMs,
})

const STATES = { closed: 'undelivered', delivered: 'delivered', released: 'given_up' } as const

function viewEnd({ state, atMs, bytes, storeAnswer }: EndedRequest): EndView {
  const signed = bytes === undefined ? {} : readOwnOutcome(bytes)
  const word = (name: string) => {
    const value = signed[name]
    return typeof value === 'string' ? value : null
  }
  return {
    ...{ state: STATES[state], at: atMs, storeAnswer: storeAnswer ?? null },
    ...{ outcome: word('outcome'), reason: word('reason'), detail: word('detail'), server: word('server') },
  }
}
