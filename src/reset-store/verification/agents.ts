// Agents after enrolment: how they are, and how one is shut out.
import type { AgentListing } from '../../protocol/administration-calls.ts'
import type { HeartbeatAnswer, HeartbeatCall } from '../../protocol/agent-calls.ts'
import { thumbprintOf } from '../../protocol/sealing-key.ts'
import type { AgentRecord } from '../database/repository.ts'
import { requireActive } from '../requests/active-agent.ts'
import { CallRefused } from '../requests/call-refused.ts'
import { agentKey, directoryKey } from '../requests/changes.ts'
import { isPaused } from '../requests/pause.ts'
import { SILENT_AFTER_MS, type StoreContext } from '../requests/store-context.ts'
import type { AgentGate } from './agent-gate.ts'

const MOST_REVOKED = 1024

/** All agents and how they are. */
export async function listAgents(context: StoreContext): Promise<{ agents: AgentListing[] }> {
  const now = context.clock.wallMs()
  const agents = await context.repository.transaction((records) => records.listAgents())
  return { agents: await Promise.all(agents.map((agent) => listingOf(agent, now))) }
}

/** Revokes an agent at once: its leases lapse, its waiting claim ends. Throws CallRefused `agent_not_found`. */
export async function revokeAgent(context: StoreContext, gate: AgentGate, id: string): Promise<void> {
  const agent = await context.repository.transaction(async (records) => {
    const agent = await records.findAgent(id)
    if (!agent) throw new CallRefused('agent_not_found')
    await records.revokeAgent(id, context.clock.wallMs())
    return agent
  })
  gate.forget(id)
  context.changes.announce(agentKey(id))
  for (const directory of agent.directories) context.changes.announce(directoryKey(directory))
  context.log.warn('agent revoked', { agent: id, name: agent.name })
}

/** Takes a heartbeat. Throws CallRefused `credential_refused`. */
export async function takeHeartbeat(
  context: StoreContext,
  agentId: string,
  call: HeartbeatCall,
): Promise<HeartbeatAnswer> {
  return context.repository.transaction(async (records) => {
    await requireActive(records, agentId)
    await records.recordHeartbeat(agentId, call)
    const revoked = (await records.listAgents()).filter(({ revokedAt }) => revokedAt !== null)
    return {
      storeTime: context.clock.wallMs(),
      paused: await isPaused(records),
      revokedAgents: revoked.map(({ id }) => id).slice(-MOST_REVOKED),
    }
  })
}

async function listingOf(agent: AgentRecord, now: number): Promise<AgentListing> {
  const { id, name, directories, enrolledAt, lastSeenAt, heartbeat } = agent
  return {
    ...{ agent: id, name, directories: [...directories], state: stateOf(agent, now), enrolledAt, lastSeenAt },
    identity: await thumbprintOf(agent.identityKey),
    version: heartbeat?.version ?? null,
    queueDepth: heartbeat?.queueDepth ?? null,
    conditions: (heartbeat?.conditions ?? []).map(({ code }) => code),
  }
}

function stateOf(agent: AgentRecord, now: number): AgentListing['state'] {
  if (agent.revokedAt !== null) return 'revoked'
  return now - (agent.lastSeenAt ?? 0) <= SILENT_AFTER_MS ? 'active' : 'silent'
}
