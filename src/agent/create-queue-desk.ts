// The operators' desk at the queue: looks into the journal, which is the truth, and lets the queue look at a request at once.
import type { AgentBase } from './agent-base.ts'
import type { AgentWork } from './create-work.ts'
import { isDoubtful } from './decisions/judge-doubt.ts'
import type { OpenRequest } from './journal/journal.ts'
import type { PauseView, QueueDesk, QueuedRequest, RequestView } from './ops/queue-desk.ts'
import { viewRequest } from './view-request.ts'

type Base = Pick<
  AgentBase,
  | 'journal'
  | 'storeTime'
  | 'clock'
  | 'documents'
  | 'leases'
  | 'directories'
  | 'log'
  | 'isPausedByStore'
  | 'pausedHere'
  | 'pauseHere'
  | 'resumeHere'
>
type Work = Pick<AgentWork, 'queues' | 'drops'>

// Shorter than the command waits for an answer.
const LOOK_LIMIT_MS = 4_000
const LOOK_AGAIN_MS = 50

/** Makes the desk of a running agent. */
export function createQueueDesk(base: Base, work: Work): QueueDesk {
  const { journal } = base
  const show = async (requestId: string) => viewRequest(base, work.queues, requestId)
  const pause = (): PauseView => ({ store: base.isPausedByStore(), here: base.pausedHere() ?? null })
  return {
    list: async (directory, limit) => {
      const names = directory === undefined ? [...base.directories.keys()] : [directory]
      const ids = names.flatMap((name) => journal.openIds(name))
      const shown = await Promise.all(ids.slice(0, limit).map(show))
      return {
        ...{ now: Math.round(base.storeTime.nowMs()), pause: pause(), total: ids.length },
        requests: shown.flatMap((one): readonly QueuedRequest[] => (one?.open ? [one.open] : [])),
      }
    },
    show,
    retry: async (requestId) => {
      const open = journal.find(requestId)
      if (!open) return { result: 'not_open', request: (await show(requestId)) ?? null }
      const isOver = await look(base, work, open, LOOK_LIMIT_MS)
      return { result: isOver ? 'looked' : 'busy', request: (await show(requestId)) ?? null }
    },
    drop: async (requestId, by) => {
      const result = await drop(base, work, requestId, by)
      return { result, request: (await show(requestId)) ?? null }
    },
    pause: (by) => {
      base.pauseHere(by)
      base.log.warn('an operator paused writing on this host', { by })
      return pause()
    },
    resume: (by) => {
      base.resumeHere(by)
      base.log.warn('an operator resumed writing on this host', { by })
      return pause()
    },
  }
}

/** Lets the queue look at it; false: that has not come to an end in time. */
async function look({ clock }: Base, { queues }: Work, open: OpenRequest, limitMs: number): Promise<boolean> {
  const patience = new AbortController()
  try {
    return await Promise.race([
      queues.look(open.directory, open.requestId).then(() => true),
      clock.sleep(limitMs, patience.signal).then(() => false),
    ])
  } finally {
    patience.abort()
  }
}

/** What has been sent, or may have been, is settled by the agent; only a request of which nothing was is dropped. */
async function drop(base: Base, work: Work, requestId: string, by: string) {
  const { journal, clock, log } = base
  const first = journal.find(requestId)
  if (!first) return 'not_open'
  if (isInDoubt(base, first)) return 'in_doubt'
  if (!isHeld(base, first)) return 'not_held'
  const time = new Date(clock.wallMs()).toISOString()
  const actor = { kind: 'operator', name: by } as const
  journal.operate({ kind: 'operator', time, action: 'drop', actor, request: requestId })
  log.warn('an operator drops a request', { requestId, by })
  const takeBack = work.drops.ask(requestId, by)
  try {
    const until = clock.monotonicMs() + LOOK_LIMIT_MS
    // A look that was under way already may not have seen the wish.
    for (let open = journal.find(requestId); open; open = journal.find(requestId)) {
      if (isInDoubt(base, open)) return 'in_doubt'
      // No look ends it without its lease, so it is not dropped later either.
      if (!isHeld(base, open)) return 'not_held'
      const leftMs = until - clock.monotonicMs()
      const isOver = leftMs > 0 && (await look(base, work, open, leftMs))
      if (!journal.find(requestId)) break
      if (!isOver) return 'busy'
      await clock.sleep(LOOK_AGAIN_MS)
    }
  } finally {
    takeBack()
  }
  return (await isDropped(base, work, requestId)) ? 'dropped' : 'ended'
}

const isHeld = ({ leases }: Base, { requestId, lease }: OpenRequest): boolean =>
  leases.isHeld({ request: requestId, lease })

const isInDoubt = ({ journal }: Base, { requestId, earlier }: OpenRequest): boolean =>
  isDoubtful({ unanswered: journal.unsettledIntents(requestId), earlier })

const isDropped = async (base: Base, { queues }: Work, requestId: string): Promise<boolean> => {
  const view: RequestView | undefined = await viewRequest(base, queues, requestId)
  return view?.ended?.reason === 'dropped_by_operator'
}
