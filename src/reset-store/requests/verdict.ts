// Where a request is, for whoever asked for it.
import type { Verdict } from '../../protocol/sealer-calls.ts'
import type { RequestRecord, Transaction } from '../database/repository.ts'
import { CallRefused } from './call-refused.ts'
import { requestKey } from './changes.ts'
import { inTime } from './close-overdue.ts'
import type { StoreContext } from './store-context.ts'
import { waitFor } from './wait-for.ts'

const MOST_LISTED = 200
const MOST_STAGES = 20
// An answer must stay below the 1 MiB that callers read.
const MOST_BYTES = 700_000

/** The state that a verdict shows. A request is in progress while a lease holds or once a receipt was accepted. */
export function stateOf(request: RequestRecord, now: number): Verdict['state'] {
  if (request.state !== 'open') return request.state
  return request.received || request.lease.until > now ? 'in_progress' : 'waiting'
}

/**
 * The verdict of one request; waits up to `waitMs` for it to close. Throws CallRefused `request_not_found`.
 */
export async function readVerdict(
  context: StoreContext,
  id: string,
  wait: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<Verdict> {
  let latest: Verdict | undefined
  const look = async () => {
    latest = await inTime(context, async (records, now) => {
      const request = await records.findRequest(id)
      if (!request) throw new CallRefused('request_not_found')
      return verdictOf(records, request, now)
    })
    return latest.state === 'closed' ? latest : undefined
  }
  const closed = await waitFor({ keys: [requestKey(id)], ...wait, look }, context.changes, context.clock)
  return closed ?? latest ?? Promise.reject(new CallRefused('request_not_found'))
}

/** The newest requests: as many as fit into one answer. */
export const listVerdicts = (context: StoreContext): Promise<Verdict[]> =>
  inTime(context, async (records, now) => {
    const verdicts: Verdict[] = []
    let bytes = 0
    for (const request of await records.listRequests(MOST_LISTED)) {
      const verdict = await verdictOf(records, request, now)
      bytes += Buffer.byteLength(JSON.stringify(verdict))
      if (bytes > MOST_BYTES) break
      verdicts.push(verdict)
    }
    return verdicts
  })

async function verdictOf(records: Transaction, request: RequestRecord, now: number): Promise<Verdict> {
  const { id, operation, directory, displayName, createdAt, expiresAt, closing } = request
  return {
    ...{ request: id, operation, directory, displayName, createdAt, expiresAt },
    state: stateOf(request, now),
    outcome: closing?.outcome ?? null,
    reason: (closing?.reason ?? null) as Verdict['reason'],
    notices: [...(closing?.notices ?? [])],
    detail: closing?.detail ?? null,
    account: closing?.account ?? null,
    rule: closing?.rule ?? null,
    policy: closing?.policy ?? null,
    stages: await stagesOf(records, request),
  }
}

async function stagesOf(records: Transaction, request: RequestRecord): Promise<Verdict['stages']> {
  const names = new Map<string, string>()
  const nameOf = async (agent: string | null) => {
    if (agent === null) return null
    const name = names.get(agent) ?? (await records.findAgent(agent))?.name ?? agent
    names.set(agent, name)
    return name
  }
  const stages: Verdict['stages'] = [{ stage: 'created', at: request.createdAt, agent: null }]
  if (request.issue && request.issue.digest !== null)
    stages.push({ stage: 'sealed', at: request.issue.at, agent: null })
  if (request.lease.number > 0)
    for (const { at, agent } of await records.listLeases(request.id))
      stages.push({ stage: 'claimed', at, agent: await nameOf(agent) })
  if (request.received)
    for (const { at, agent } of await records.listReceipts(request.id))
      stages.push({ stage: 'received', at, agent: await nameOf(agent) })
  const { closing } = request
  if (closing) stages.push({ stage: 'closed', at: closing.at, agent: await nameOf(closing.agent) })
  // Stable, so what happened within one millisecond keeps the order of the stages.
  return newestOf(stages.sort((a, b) => a.at - b.at))
}

// A request may be handed out again and again; how it began stays in sight.
function newestOf(stages: Verdict['stages']): Verdict['stages'] {
  if (stages.length <= MOST_STAGES) return stages
  const beginning = stages.filter(({ stage }) => stage === 'created' || stage === 'sealed')
  return [
    ...beginning,
    ...stages.filter((one) => !beginning.includes(one)).slice(beginning.length - MOST_STAGES),
  ]
}
