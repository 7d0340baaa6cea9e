// Enrolment: a code that serves once makes an agent known. Guessing is bounded and costs the guesser.
import { hash, verify } from 'argon2'
import type { z } from 'zod'
import type { enrolAnswerSchema, enrolCallSchema } from '../../protocol/agent-calls.ts'
import {
  createEnrolmentCode,
  formatEnrolmentCode,
  signEnrolled,
  verifyIdentityProof,
} from '../../protocol/enrolment.ts'
import { newId, type PublicKey } from '../../protocol/identifiers.ts'
import { thumbprintOf, verifySealingKey } from '../../protocol/sealing-key.ts'
import type { AgentRecord, EnrolmentCodeRecord } from '../database/repository.ts'
import { CallRefused } from '../requests/call-refused.ts'
import type { StoreContext } from '../requests/store-context.ts'
import { createFailureLimit } from './failure-limit.ts'
import { requireUntaken } from './sealing-keys.ts'
import type { StoreKeys } from './store-keys.ts'

type EnrolCall = z.infer<typeof enrolCallSchema>
type EnrolAnswer = z.infer<typeof enrolAnswerSchema>

// OWASP's smallest argon2id setting: the secrets are random, the hash only guards a stolen database.
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
// The first characters find the code; 144 random bits are left for the hash to guard.
const LOOKUP_CHARACTERS = 8
const FAILURES = { most: 10, withinMs: 60_000 } as const

/** Makes and redeems enrolment codes. */
export interface Enrolment {
  readonly createCode: (
    directories: readonly string[],
    validForMs: number,
  ) => Promise<{ code: string; expiresAt: number }>
  /**
   * Throws CallRefused: `enrolment_code_refused`, `body_invalid` for keys and proofs that do not fit,
   * `too_many_requests` after ten failures within a minute from one address. The same agent may repeat its own call.
   */
  readonly enrol: (call: EnrolCall, address: string) => Promise<EnrolAnswer>
}

/** Makes the enrolment desk of one store. */
export function createEnrolment(context: StoreContext, keys: StoreKeys): Enrolment {
  const failures = createFailureLimit(FAILURES, context.clock)
  return {
    createCode: async (directories, validForMs) => {
      const code = createEnrolmentCode(keys.thumbprint)
      const expiresAt = context.clock.wallMs() + validForMs
      const lookup = code.secret.slice(0, LOOKUP_CHARACTERS)
      const record = { lookup, hash: await hash(code.secret, ARGON2), directories, expiresAt, usedBy: null }
      await context.repository.transaction((records) => records.addEnrolmentCode(record))
      return { code: formatEnrolmentCode(code), expiresAt }
    },
    enrol: async (call, address) => {
      if (failures.isReached(address)) throw new CallRefused('too_many_requests')
      try {
        return await redeem(context, keys, call)
      } catch (error) {
        failures.count(address)
        throw error
      }
    },
  }
}

async function redeem(context: StoreContext, keys: StoreKeys, call: EnrolCall): Promise<EnrolAnswer> {
  const code = await requireCode(context, call.code)
  const sealingKey = await requireKeys(call)
  const now = context.clock.wallMs()
  const agent: AgentRecord = {
    ...{ id: newId(), name: call.name, identityKey: call.identityKey, directories: code.directories },
    ...{ enrolledAt: now, lastSeenAt: now, revokedAt: null, heartbeat: null },
    sealingKeys: [{ kid: sealingKey.kid, statement: call.sealingKey }],
  }
  const enrolled = await context.repository.transaction(async (records) => {
    if (!(await records.useEnrolmentCode(code.lookup, agent.id)))
      return requireSameAgent(await records.findEnrolmentCode(code.lookup), call, records.findAgent)
    requireUntaken(await records.listAgents(), [sealingKey.kid])
    await records.addAgent(agent)
    return agent
  })
  const identity = await thumbprintOf(enrolled.identityKey)
  const fields = { agent: enrolled.id, name: enrolled.name, directories: enrolled.directories, identity }
  // Loud: from now on passwords are sealed to it, and whoever runs the store should know why.
  if (enrolled === agent) context.log.warn('agent enrolled', fields)
  else context.log.info('enrolment repeated', fields)
  return promise(context, keys, enrolled)
}

async function requireCode(context: StoreContext, secret: string): Promise<EnrolmentCodeRecord> {
  const lookup = secret.slice(0, LOOKUP_CHARACTERS)
  const code = await context.repository.transaction((records) => records.findEnrolmentCode(lookup))
  const isRight = code !== undefined && (await verify(code.hash, secret))
  if (!isRight || code.expiresAt <= context.clock.wallMs()) throw new CallRefused('enrolment_code_refused')
  return code
}

async function requireKeys(call: EnrolCall): Promise<PublicKey> {
  try {
    if (call.identityKey.use !== 'sig' || call.identityKey.alg !== 'ES256')
      throw new CallRefused('body_invalid', 'the identity key is not for signing')
    await verifyIdentityProof(call.proof, call.code, call.identityKey)
    return await verifySealingKey(call.sealingKey, call.identityKey)
  } catch (cause) {
    if (cause instanceof CallRefused) throw cause
    throw new CallRefused('body_invalid', cause instanceof Error ? cause.message : undefined, cause)
  }
}

// The answer to the first try may have been lost: who proves the same identity gets it again.
async function requireSameAgent(
  code: EnrolmentCodeRecord | undefined,
  call: EnrolCall,
  findAgent: (id: string) => Promise<AgentRecord | undefined>,
): Promise<AgentRecord> {
  const agent = code?.usedBy ? await findAgent(code.usedBy) : undefined
  const isSame =
    agent !== undefined &&
    agent.revokedAt === null &&
    agent.identityKey.x === call.identityKey.x &&
    agent.identityKey.y === call.identityKey.y
  if (!isSame) throw new CallRefused('enrolment_code_refused')
  return agent
}

async function promise(context: StoreContext, keys: StoreKeys, agent: AgentRecord): Promise<EnrolAnswer> {
  const enrolled = await signEnrolled(
    {
      ...{ agent: agent.id, identity: await thumbprintOf(agent.identityKey), store: context.store },
      ...{ tenant: context.tenant, directories: [...agent.directories], keys: [keys.publicKey] },
      at: context.clock.wallMs(),
    },
    keys.signer,
  )
  return { keys: [keys.publicKey], enrolled }
}
