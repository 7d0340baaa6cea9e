// Handing out work: leases are renewed, lapse, and are granted. Per subject at most one request is out at a time.
import type { ClaimAnswer, ClaimCall, ClaimedRequest } from '../../protocol/agent-calls.ts'
import { LEASE_MS } from '../../protocol/identifiers.ts'
import type { AgentRecord, HeldLease, Transaction } from '../database/repository.ts'
import { requireActive } from './active-agent.ts'
import { agentKey, directoryKey } from './changes.ts'
import { describeClaimed } from './claimed-request.ts'
import { inTime } from './close-overdue.ts'
import { listGone } from './gone-servers.ts'
import { isPaused } from './pause.ts'
import { nextNumber, type StoreContext } from './store-context.ts'
import { waitFor } from './wait-for.ts'

// An agent reads answers up to 1 MiB; the rest waits for its next claim.
const MOST_BYTES = 700_000

/** Carries out claims. */
export type ClaimRequests = (agent: string, call: ClaimCall, signal: AbortSignal) => Promise<ClaimAnswer>

/**
 * Makes the rule. While the store is paused only requests with a receipt are handed out, to be settled. It throws
 * CallRefused `credential_refused` as soon as the agent is revoked, also while the agent waits.
 */
export function createClaimRequests(context: StoreContext): ClaimRequests {
  // The newest claim of each agent. An older one that still waits ends, or both would fill the same places.
  const newest = new Map<string, ClaimCall>()
  // What each agent was told last: a switch that moved between two of its claims must be heard at once.
  const told = new Map<string, { readonly claim: string; readonly switches: string }>()

  async function waitForRequests({ agent }: BegunClaim, call: ClaimCall, signal: AbortSignal) {
    const look = async () => {
      if (signal.aborted || newest.get(agent.id) !== call) return []
      const requests = await inTime(context, async (records, now) => {
        const active = await requireActive(records, agent.id)
        // An agent that has work must hear of a pause at once, and of a server that it need not wait for.
        const switches = await readSwitches(records)
        const isOld = JSON.stringify(switches) !== told.get(agent.id)?.switches
        return isOld ? undefined : grantLeases(records, now, active, call, switches)
      })
      return requests === undefined ? [] : requests.length > 0 ? requests : undefined
    }
    const keys = [agentKey(agent.id), ...agent.directories.map(directoryKey)]
    const found = await waitFor({ keys, waitMs: call.waitMs, signal, look }, context.changes, context.clock)
    return found ?? []
  }

  return async (agentId, call, signal) => {
    newest.set(agentId, call)
    context.changes.announce(agentKey(agentId))
    const begun = await inTime(context, (records, now) => beginClaim(records, now, agentId, call))
    for (const directory of begun.lapsedIn) context.changes.announce(directoryKey(directory))
    const known = told.get(agentId)
    // A claim that comes again has lost its answer, and with it what it was told.
    const isAgain = known?.claim === call.claimId
    const noteTold = ({ paused, gone }: Switches) =>
      told.set(agentId, { claim: call.claimId, switches: JSON.stringify({ paused, gone }) })
    if (known === undefined)
      told.set(agentId, { claim: '', switches: JSON.stringify({ paused: begun.paused, gone: begun.gone }) })
    const hasNoPlace = Object.values(call.places).every((free) => free === 0)
    const isDone = begun.requests.length > 0 || hasNoPlace || call.waitMs === 0 || isAgain
    const requests = isDone ? begun.requests : await waitForRequests(begun, call, signal)
    const { paused, gone } = isDone ? begun : await context.repository.transaction(readSwitches)
    if (newest.get(agentId) === call) noteTold({ paused, gone })
    const storeTime = context.clock.wallMs()
    return { storeTime, paused, renewed: begun.renewed, goneServers: [...gone], requests }
  }
}

interface Switches {
  readonly paused: boolean
  readonly gone: readonly string[]
}

const readSwitches = async (records: Transaction): Promise<Switches> => ({
  paused: await isPaused(records),
  gone: await listGone(records),
})

interface BegunClaim extends Switches {
  readonly agent: AgentRecord
  readonly renewed: ClaimAnswer['renewed']
  readonly requests: ClaimedRequest[]
  readonly lapsedIn: ReadonlySet<string>
}

async function beginClaim(
  records: Transaction,
  now: number,
  agentId: string,
  call: ClaimCall,
): Promise<BegunClaim> {
  const agent = await requireActive(records, agentId)
  const { named, repeated, others } = sortLeases(await records.findLeased(agentId, now), call)
  for (const { id } of others) await records.setLeaseEnd(id, now)
  for (const { id } of [...named, ...repeated]) await records.setLeaseEnd(id, now + LEASE_MS)
  const requests: ClaimedRequest[] = []
  for (const { id } of repeated) {
    const request = await records.findRequest(id)
    if (request) requests.push(await describeClaimed(records, request))
  }
  const switches = await readSwitches(records)
  return {
    agent,
    ...switches,
    renewed: named.map(({ id, number }) => ({ request: id, lease: number })),
    requests: repeated.length > 0 ? requests : await grantLeases(records, now, agent, call, switches),
    lapsedIn: new Set(others.map(({ directory }) => directory)),
  }
}

// The leases an agent holds: those it names, those an earlier try of this same claim gave, and those that lapse.
function sortLeases(held: readonly HeldLease[], call: ClaimCall) {
  const numbers = new Map(call.leases.map(({ request, lease }) => [request, lease]))
  const sorted = Map.groupBy(held, ({ id, number, claim }) => {
    if (numbers.get(id) === number) return 'named'
    return claim === call.claimId ? 'repeated' : 'others'
  })
  const { named = [], repeated = [], others = [] } = Object.fromEntries(sorted)
  return { named, repeated, others }
}

async function grantLeases(
  records: Transaction,
  now: number,
  agent: AgentRecord,
  call: ClaimCall,
  { paused }: Switches,
): Promise<ClaimedRequest[]> {
  const claimable = await records.findClaimable(agent, now, { places: call.places, onlyReceived: paused })
  const granted: ClaimedRequest[] = []
  let bytes = 0
  for (const request of claimable) {
    const number = nextNumber(request.lease.number, now)
    const until = now + LEASE_MS
    const lease = { number, agent: agent.id, claim: call.claimId, until }
    const described = await describeClaimed(records, { ...request, lease })
    bytes += Buffer.byteLength(JSON.stringify(described))
    if (bytes > MOST_BYTES && granted.length > 0) break
    await records.grantLease(request.id, { ...lease, at: now })
    granted.push(described)
  }
  return granted
}
