// Lets an agent's call in: its token is valid for exactly this call, was never seen, and the agent is not revoked.
import type { CryptoKey } from 'jose'
import type { Clock } from '../../clock/clock.ts'
import { type AgentCall, verifyAgentCall } from '../../protocol/agent-token.ts'
import { importPublicKey } from '../../protocol/signed-message.ts'
import type { Repository } from '../database/repository.ts'
import { CallRefused } from '../requests/call-refused.ts'

/** An admitted call. The answer is not sent before `remembered`. */
export interface AdmittedCall {
  readonly agent: string
  /** Resolves when the call's id is durable, so that it is refused also after a restart. */
  readonly remembered: Promise<void>
}

/** The gate. `forget` drops what it holds of an agent, after a revocation. */
export interface AgentGate {
  /** Throws CallRefused `credential_refused`. */
  readonly admit: (token: string, call: AgentCall) => Promise<AdmittedCall>
  readonly forget: (agent: string) => void
}

const PURGE_EVERY_CALLS = 4096

/** Makes the gate; reads the ids of calls that were seen before a restart. */
export async function createAgentGate(
  repository: Repository,
  clock: Clock,
  store: string,
): Promise<AgentGate> {
  const seen = new Map<string, number>()
  const before = await repository.transaction((records) => records.listCalls(clock.wallMs()))
  for (const { jti, expiresAt } of before) seen.set(jti, expiresAt)
  const keys = new Map<string, CryptoKey>()
  let calls = 0

  async function findKey(agentId: string): Promise<CryptoKey | undefined> {
    const known = keys.get(agentId)
    if (known) return known
    const agent = await repository.transaction((records) => records.findAgent(agentId))
    if (!agent || agent.revokedAt !== null) return undefined
    const key = await importPublicKey(agent.identityKey)
    keys.set(agentId, key)
    return key
  }

  function refuseSeen(jti: string, expiresAt: number, now: number): void {
    if (seen.has(jti)) throw new CallRefused('credential_refused', 'the token was used before')
    seen.set(jti, expiresAt)
    calls += 1
    if (calls % PURGE_EVERY_CALLS === 0) for (const [old, until] of seen) if (until <= now) seen.delete(old)
  }

  return {
    admit: async (token, call) => {
      const now = clock.wallMs()
      const { agent, jti, expiresAtMs } = await verify(token, call, { store, now, findKey })
      refuseSeen(jti, expiresAtMs, now)
      // Not awaited here: it shares the transaction group, and the wait for the disk, with what the call does.
      const remembered = repository.transaction((records) =>
        records.rememberCall({ jti, expiresAt: expiresAtMs, agent, at: now }),
      )
      remembered.catch(() => {})
      return { agent, remembered }
    },
    forget: (agent) => void keys.delete(agent),
  }
}

async function verify(
  token: string,
  call: AgentCall,
  { store, now, findKey }: { store: string; now: number; findKey: Parameters<typeof verifyAgentCall>[4] },
) {
  try {
    return await verifyAgentCall(token, call, store, now, findKey)
  } catch (cause) {
    throw new CallRefused('credential_refused', cause instanceof Error ? cause.message : undefined, cause)
  }
}
