// Outcomes: the first terminal one closes a request, `unknown` may be replaced once, everything else is evidence; so is
// an old "nothing was changed" while somebody else may have begun to write.
import { hash } from 'node:crypto'
import type { CryptoKey } from 'jose'
import type { OutcomesAnswer } from '../../protocol/agent-calls.ts'
import { type Outcome, verifyOutcome } from '../../protocol/outcome.ts'
import { importPublicKey } from '../../protocol/signed-message.ts'
import { errorFields } from '../../telemetry/logger.ts'
import type {
  Closing,
  LeaseRecord,
  OutcomeResult,
  RequestRecord,
  Transaction,
} from '../database/repository.ts'
import { requireActive } from './active-agent.ts'
import { CallRefused } from './call-refused.ts'
import { directoryKey, requestKey } from './changes.ts'
import { inTime } from './close-overdue.ts'
import { type Pin, pinSubject } from './pin-subject.ts'
import type { StoreContext } from './store-context.ts'

interface Delivered {
  readonly outcome: Outcome
  readonly jws: string
  readonly digest: string
}

/** Takes the signed outcomes of one call of an agent. */
export type TakeOutcomes = (agent: string, outcomes: readonly string[]) => Promise<OutcomesAnswer>

/**
 * Makes the rule. It takes all outcomes of a call or none: one that does not verify, that names another agent, store or
 * directory, or that does not fit its operation, fails the whole call with CallRefused `outcome_invalid`. A request that was never handed to this agent,
 * under whatever lease, is `request_not_found` to it, as one that does not exist.
 */
export function createTakeOutcomes(context: StoreContext): TakeOutcomes {
  // Public identity keys of agents, imported once. Whether an agent may still call is asked in every transaction.
  const identities = new Map<string, Identity>()

  async function identityOf(agentId: string): Promise<Identity> {
    const known = identities.get(agentId)
    if (known) return known
    const agent = await context.repository.transaction((records) => requireActive(records, agentId))
    const identity = { kid: agent.identityKey.kid, key: await importPublicKey(agent.identityKey) }
    identities.set(agentId, identity)
    return identity
  }

  return async (agentId, outcomes) => {
    const identity = await identityOf(agentId)
    const delivered = await Promise.all(
      outcomes.map((jws, index) => verifyOne({ jws, index, agentId, identity, store: context.store })),
    )
    const pins: Pin[] = []
    const freed = new Set<string>()
    const results = await inTime(context, (records, now) =>
      takeAll(records, now, agentId, delivered, { pins, freed }),
    )
    for (const pin of pins) tellPin(context, pin)
    for (const [index, { request, result }] of results.entries())
      announce(context, delivered[index]?.outcome, request, result)
    for (const directory of freed) context.changes.announce(directoryKey(directory))
    return { results }
  }
}

/** What a call brought about, to be told when it is durable. */
interface Effects {
  readonly pins: Pin[]
  /** The directories in which a subject's next request may go out now. */
  readonly freed: Set<string>
}

interface Identity {
  readonly kid: string
  readonly key: CryptoKey
}

async function takeAll(
  records: Transaction,
  now: number,
  agentId: string,
  delivered: readonly Delivered[],
  effects: Effects,
): Promise<OutcomesAnswer['results']> {
  await requireActive(records, agentId)
  const found = new Map<string, RequestRecord | undefined>()
  for (const item of delivered) found.set(item.outcome.request, await findFitting(records, item))
  const results: OutcomesAnswer['results'] = []
  for (const item of delivered) {
    const id = item.outcome.request
    // Taking an outcome changes its request: a second one of the same request looks again.
    const request = found.get(id) ?? (await records.findRequest(id))
    found.delete(id)
    const result = request ? await take(records, request, item, now, effects) : 'request_not_found'
    results.push({ request: id, result })
  }
  return results
}

function tellPin(context: StoreContext, pin: Pin): void {
  if (pin.before === null) context.log.info('entry pinned', { ...pin })
  else context.log.warn('another entry stands behind the anchor; the pin is changed', { ...pin })
}

function announce(
  context: StoreContext,
  outcome: Outcome | undefined,
  request: string,
  result: OutcomeResult,
): void {
  context.log.info('outcome delivered', { requestId: request, outcome: outcome?.outcome, result })
  context.changes.announce(requestKey(request))
}

async function verifyOne(given: {
  readonly jws: string
  readonly index: number
  readonly agentId: string
  readonly identity: Identity
  readonly store: string
}): Promise<Delivered> {
  const { jws, index, agentId, identity, store } = given
  const outcome = await readOutcome(jws, index, (kid) => (kid === identity.kid ? identity.key : undefined))
  if (outcome.agent !== agentId || outcome.store !== store)
    throw new CallRefused('outcome_invalid', `outcome ${index} names another agent or store`)
  return { outcome, jws, digest: hash('sha256', jws, 'base64url') }
}

async function readOutcome(jws: string, index: number, findKey: Parameters<typeof verifyOutcome>[1]) {
  try {
    return await verifyOutcome(jws, findKey)
  } catch (cause) {
    throw new CallRefused(
      'outcome_invalid',
      `outcome ${index}: ${String(errorFields(cause)['error'])}`,
      cause,
    )
  }
}

async function findFitting(records: Transaction, { outcome }: Delivered): Promise<RequestRecord | undefined> {
  const request = await records.findRequest(outcome.request)
  if (!request) return undefined
  if (outcome.directory !== null && request.directory !== outcome.directory)
    throw new CallRefused('outcome_invalid', `the outcome of ${request.id} names another directory`)
  const isInspect = request.operation === 'inspect'
  if ((outcome.account !== null) !== (isInspect && outcome.outcome === 'applied'))
    throw new CallRefused('outcome_invalid', `the outcome of ${request.id} tells of an account, or fails to`)
  if (isInspect && outcome.marker !== null)
    throw new CallRefused('outcome_invalid', `the outcome of ${request.id} has a marker, and wrote nothing`)
  return request
}

// What decided is always kept; beside it, an agent that goes in circles fills no disk.
const MOST_EVIDENCE = 32

async function take(
  records: Transaction,
  request: RequestRecord,
  { outcome, jws, digest }: Delivered,
  now: number,
  { pins, freed }: Effects,
): Promise<OutcomeResult> {
  const before = await records.findOutcome(request.id, digest)
  if (before) return before
  const result = await decide(records, request, outcome, now)
  // Not kept: the same bytes may come again when the request was handed to this agent.
  if (result === 'request_not_found') return result
  const isDecisive = result === 'accepted' && changesVerdict(request, outcome)
  const pin = isDecisive ? await pinSubject(records, request, outcome) : undefined
  if (pin) pins.push(pin)
  const { directory, anchor } = request
  if (isDecisive && (await records.countWriting(directory, anchor, 'open')) > 0) freed.add(directory)
  if (isDecisive || (await records.countOutcomes(request.id)) < MOST_EVIDENCE)
    await records.addOutcome(request.id, { digest, agent: outcome.agent, jws, result, at: now })
  return result
}

const changesVerdict = ({ closing }: RequestRecord, { outcome }: Outcome): boolean =>
  closing === null || (closing.outcome === 'unknown' && outcome !== 'unknown')

async function decide(
  records: Transaction,
  request: RequestRecord,
  outcome: Outcome,
  now: number,
): Promise<OutcomeResult> {
  const leases = await records.listLeases(request.id)
  // Any lease of this agent will do: a store that was restored from a backup may have forgotten the one that is named.
  if (!leases.some(({ agent }) => agent === outcome.agent)) return 'request_not_found'
  const { closing } = request
  const isUndecided = closing === null || closing.outcome === 'unknown'
  if (isUndecided && (await isOvertaken(records, request.id, outcome, leases))) return 'outcome_closed'
  if (changesVerdict(request, outcome))
    await records.closeRequest(request.id, closingOf(outcome, now), closing !== null)
  if (isUndecided) return 'accepted'
  // The store said `expired` by itself, and the agent says the same.
  if (closing.agent === null && closing.outcome === outcome.outcome) return 'accepted'
  return 'outcome_closed'
}

/**
 * True for an outcome that says nothing was changed while a newer receipt lets another writer change it. What was
 * applied is true whoever says so, and `unknown` denies nothing. A lease number that is not known was given before the
 * store was restored: every receipt of another agent counts as newer.
 */
async function isOvertaken(
  records: Transaction,
  request: string,
  { outcome, agent, lease }: Outcome,
  leases: readonly LeaseRecord[],
): Promise<boolean> {
  if (outcome === 'applied' || outcome === 'unknown') return false
  const isKnown = leases.some((one) => one.lease === lease && one.agent === agent)
  const receipts = await records.listReceipts(request)
  return receipts.some((receipt) => (isKnown ? receipt.lease > lease : receipt.agent !== agent))
}

const closingOf = (outcome: Outcome, now: number): Closing => ({
  outcome: outcome.outcome,
  agent: outcome.agent,
  server: outcome.server,
  marker: outcome.marker,
  reason: 'reason' in outcome ? outcome.reason : null,
  notices: outcome.notices,
  detail: outcome.detail,
  account: outcome.account,
  rule: outcome.rule,
  policy: outcome.policy,
  at: now,
})
