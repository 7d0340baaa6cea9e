// The smallest agent: keys, an enrolment, and the agent's calls, made from the contract alone.
import { KeyObject, randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import type { AccountState, EffectivePolicy } from '../../src/protocol/account-state.ts'
import type { ClaimAnswer, ClaimedRequest } from '../../src/protocol/agent-calls.ts'
import { signAgentCall } from '../../src/protocol/agent-token.ts'
import { ENDPOINTS, type EndpointName, pathOf } from '../../src/protocol/endpoints.ts'
import {
  type Enrolled,
  parseEnrolmentCode,
  proveIdentity,
  verifyEnrolled,
} from '../../src/protocol/enrolment.ts'
import type { PublicKey } from '../../src/protocol/identifiers.ts'
import { type Outcome, signOutcome } from '../../src/protocol/outcome.ts'
import { type RequestDocument, verifyRequest } from '../../src/protocol/request-document.ts'
import { openSealed, splitPasswords } from '../../src/protocol/sealed-password.ts'
import { stateSealingKey, thumbprintOf } from '../../src/protocol/sealing-key.ts'
import { importPublicKey } from '../../src/protocol/signed-message.ts'
import type { HttpsAnswer } from './https-call.ts'
import type { StoreClient } from './running-store.ts'

/** A server id for receipts. */
export const SERVER = '0a0a0a0a-1111-4222-8333-444444444444'

/** A policy as an agent reads it. */
export const POLICY: EffectivePolicy = {
  ...{ name: 'corp.test', source: 'domain', minimumLength: 12, complexity: true, refusesNames: false },
  ...{ historyLength: 24, minimumAgeMs: 86_400_000, maximumAgeMs: null },
  ...{ lockoutThreshold: 5, lockoutDurationMs: null, lockoutWindowMs: 1_800_000 },
}

/** What an inspect found of a healthy account. */
export const accountOf = (objectGuid: string): AccountState => ({
  ...{ objectGuid, refusals: { reset: null, change: null, unlock: null } },
  ...{ locked: false, disabled: false, smartcardRequired: false, mustChange: false },
  ...{
    passwordNeverExpires: false,
    passwordChangedAt: null,
    passwordExpiresAt: null,
    accountExpiresAt: null,
  },
  ...{ policy: POLICY, policyProblem: null },
})

async function makeKey(use: 'sig' | 'enc') {
  const alg = use === 'sig' ? 'ES256' : 'ECDH-ES+A256KW'
  const { publicKey, privateKey } = await generateKeyPair(alg, { crv: 'P-256', extractable: true })
  const { x = '', y = '' } = await exportJWK(publicKey)
  const jwk: PublicKey = { kty: 'EC', crv: 'P-256', x, y, kid: 'none', use, alg }
  const kid = await thumbprintOf(jwk)
  return { publicKey: { ...jwk, kid }, signer: { kid, key: privateKey } }
}

/** The keys of an agent that is not enrolled yet. */
export const makeAgentKeys = async () => ({ identity: await makeKey('sig'), sealing: await makeKey('enc') })
type AgentKeys = Awaited<ReturnType<typeof makeAgentKeys>>

/** The body of an enrolment. */
export async function enrolmentBody(code: string, keys: AgentKeys, name = 'agent-1') {
  const { secret } = parseEnrolmentCode(code)
  return {
    code: secret,
    name,
    identityKey: keys.identity.publicKey,
    sealingKey: await stateSealingKey(keys.sealing.publicKey, keys.identity, Date.now()),
    proof: await proveIdentity(secret, keys.identity.publicKey, keys.identity.signer, Date.now()),
  }
}

/** Sends an enrolment. */
export const sendEnrolment = (client: StoreClient, body: unknown): Promise<HttpsAnswer> =>
  client.call({
    method: 'POST',
    path: '/v1/agents',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

/** An enrolled agent. */
export type TestAgent = Awaited<ReturnType<typeof enrolAgent>>

/** Enrols a new agent for directories. `now` is the store's time. */
export async function enrolAgent(
  client: StoreClient,
  options: { readonly name?: string; readonly directories?: string[]; readonly now?: () => number } = {},
) {
  const { name = 'agent-1', directories = ['corp'], now = Date.now } = options
  const made = await client.admin('createEnrolmentCode', { directories, validForMs: 600_000 })
  const keys = await makeAgentKeys()
  const answer = await sendEnrolment(client, await enrolmentBody(made.json.code, keys, name))
  if (answer.status !== 201) throw new Error(`enrolment: ${answer.text}`)
  const code = parseEnrolmentCode(made.json.code)
  const enrolled = await verifyEnrolled(answer.json.enrolled, answer.json.keys, code, keys.identity.publicKey)
  return createAgent(client, keys, enrolled, now)
}

/** An agent's calls. `at` gives the same agent at another client (a restarted store). */
export function createAgent(client: StoreClient, keys: AgentKeys, enrolled: Enrolled, now: () => number) {
  const token = (method: string, path: string, body: string) =>
    signAgentCall(
      { method, path, body: Buffer.from(body) },
      { agent: enrolled.agent, store: enrolled.store },
      keys.identity.signer,
      now(),
    )
  async function call(
    name: EndpointName,
    value: unknown,
    signal?: AbortSignal,
    parameters: Readonly<Record<string, string>> = {},
  ): Promise<HttpsAnswer> {
    const { method } = ENDPOINTS[name]
    const path = pathOf(ENDPOINTS[name], parameters)
    const body = JSON.stringify(value)
    const authorization = `Bearer ${await token(method, path, body)}`
    const headers = { authorization, 'content-type': 'application/json' }
    return client.call({ method, path, headers, body, ...(signal ? { signal } : {}) })
  }
  async function claim(
    wish: {
      claimId?: string
      leases?: unknown[]
      places?: number | Record<string, number>
      waitMs?: number
    } = {},
  ): Promise<ClaimAnswer> {
    const { places = 10, ...rest } = wish
    const free =
      typeof places === 'number'
        ? Object.fromEntries(enrolled.directories.map((name) => [name, places]))
        : places
    const body = { claimId: randomUUID(), leases: [], places: free, waitMs: 0, ...rest }
    const answer = await call('claim', body)
    if (answer.status !== 200) throw new Error(answer.json?.code ?? answer.text)
    return answer.json
  }
  const receipt = async (request: string, lease: number, server = SERVER): Promise<string> =>
    (await call('receipts', { receipts: [{ request, lease, server }] })).json.results[0].result
  const sign = (claimed: ClaimedRequest, fields: Partial<Outcome> & { outcome: Outcome['outcome'] }) =>
    signOutcome(
      {
        ...{ request: claimed.request, store: enrolled.store, agent: enrolled.agent, directory: 'corp' },
        ...{
          lease: claimed.lease,
          server: SERVER,
          marker: null,
          decidedAt: now(),
          notices: [],
          detail: null,
          account: null,
          rule: null,
          policy: null,
        },
        ...fields,
      } as Outcome,
      keys.identity.signer,
    )
  async function report(...outcomes: string[]): Promise<string[]> {
    const answer = await call('outcomes', { outcomes })
    if (answer.status !== 200) throw new Error(answer.json?.code ?? answer.text)
    return answer.json.results.map(({ result }: { result: string }) => result)
  }
  async function read(claimed: ClaimedRequest): Promise<RequestDocument> {
    const storeKeys = await Promise.all(
      enrolled.keys.map(async (key) => [key.kid, await importPublicKey(key)] as const),
    )
    return verifyRequest(claimed.document, (kid) => new Map(storeKeys).get(kid))
  }
  async function open(claimed: ClaimedRequest) {
    const document = await read(claimed)
    if (!('sealed' in document)) throw new Error('nothing is sealed')
    const { id: requestId, operation, subject, directory, expiresAt } = document
    const expected = { requestId, operation, anchor: subject.anchor, directory, expiresAt }
    const { kid, key } = keys.sealing.signer
    const opener = { kid, key: KeyObject.from(key as never) }
    const content = await openSealed(document.sealed, opener, expected)
    const passwords = splitPasswords(content, operation).map(String)
    return { document, passwords, password: passwords.at(-1) ?? '' }
  }
  const at = (other: StoreClient) => createAgent(other, keys, enrolled, now)
  return { keys, enrolled, id: enrolled.agent, call, token, claim, receipt, sign, report, read, open, at }
}

/** Claims once; throws unless exactly one request is handed out. */
export async function claimOne(by: TestAgent, wish = {}): Promise<ClaimedRequest> {
  const [claimed, ...more] = (await by.claim(wish)).requests
  if (!claimed || more.length > 0) throw new Error(`claimed ${more.length + (claimed ? 1 : 0)}`)
  return claimed
}
