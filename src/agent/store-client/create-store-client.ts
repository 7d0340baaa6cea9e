// The calls of the contract, as the agent makes them. Every answer is checked before anybody sees it.
import { z } from 'zod'
import type { Clock } from '../../clock/clock.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import {
  type ClaimAnswer,
  type ClaimCall,
  claimAnswerSchema,
  enrolAnswerSchema,
  type enrolCallSchema,
  type HeartbeatAnswer,
  type HeartbeatCall,
  heartbeatAnswerSchema,
  type OutcomesAnswer,
  outcomesAnswerSchema,
  type PoliciesCall,
  type ReceiptsAnswer,
  type ReceiptsCall,
  receiptsAnswerSchema,
  type SealingKeysAnswer,
  type SealingKeysCall,
  sealingKeysAnswerSchema,
} from '../../protocol/agent-calls.ts'
import { signAgentCall } from '../../protocol/agent-token.ts'
import { ENDPOINTS, type Endpoint, pathOf } from '../../protocol/endpoints.ts'
import { foreignProblemSchema } from '../../protocol/problem.ts'
import { parseDocument, type SigningKey } from '../../protocol/signed-message.ts'
import { LARGEST_BODY, parseStrictJson } from '../../protocol/strict-json.ts'
import { classifyNetworkFailure, classifyStatus } from './classify-store-failure.ts'
import type { Fetch } from './store-transport.ts'

/** Who the agent is, once it is enrolled. */
export interface AgentIdentity {
  readonly agent: string
  readonly store: string
  readonly signer: SigningKey
}

/** A checked answer with the monotonic moments around the call. */
export interface Timed<T> {
  readonly answer: T
  /** As far back as that clock of the host says which counted more: the monotonic one stands still while it sleeps. */
  readonly sentMs: number
  readonly answeredMs: number
}

/**
 * The store as the agent sees it. Every call throws WritebackError: ERR_STORE_UNREACHABLE, ERR_STORE_TLS,
 * ERR_STORE_TIMEOUT, ERR_STORE_UNAVAILABLE, ERR_STORE_ANSWER_INVALID (all may pass), or ERR_STORE_REJECTED.
 */
export interface StoreClient {
  readonly claim: (call: ClaimCall, signal: AbortSignal) => Promise<Timed<ClaimAnswer>>
  readonly receipts: (call: ReceiptsCall, signal: AbortSignal) => Promise<Timed<ReceiptsAnswer>>
  readonly outcomes: (outcomes: readonly string[], signal: AbortSignal) => Promise<Timed<OutcomesAnswer>>
  readonly heartbeat: (call: HeartbeatCall, signal: AbortSignal) => Promise<Timed<HeartbeatAnswer>>
  readonly publishSealingKeys: (
    call: SealingKeysCall,
    signal: AbortSignal,
  ) => Promise<Timed<SealingKeysAnswer>>
  readonly publishPolicies: (
    directory: string,
    policies: PoliciesCall,
    signal: AbortSignal,
  ) => Promise<Timed<undefined>>
}

/** What a client is made of. `nowMs` is the store's time as far as it is known. */
export interface StoreClientOptions {
  readonly url: string
  readonly fetch: Fetch
  readonly identity: AgentIdentity
  readonly clock: Clock
  readonly nowMs: () => number
  /** Told the store's own Date when it refuses a credential: a wrong clock on this host is found out that way. */
  readonly observe?: (sample: {
    readonly sentMs: number
    readonly answeredMs: number
    readonly storeTime: number
  }) => void
  /** Longest time for a call, beyond the waiting it asks for, in milliseconds. */
  readonly timeoutMs: number
}

/** Makes the client of an enrolled agent. */
export function createStoreClient(options: StoreClientOptions): StoreClient {
  const send = async <T>(
    endpoint: Endpoint,
    body: unknown,
    schema: z.ZodType<T>,
    signal: AbortSignal,
    waitMs = 0,
  ): Promise<Timed<T>> => {
    const bytes = Buffer.from(JSON.stringify(body))
    const token = await signAgentCall(
      { method: endpoint.method, path: endpoint.path, body: bytes },
      options.identity,
      options.identity.signer,
      options.nowMs(),
    )
    const timing = startTiming(options.clock)
    const answer = await callStore(
      { ...options, timeoutMs: options.timeoutMs + waitMs },
      endpoint,
      bytes,
      schema,
      signal,
      {
        token,
        onRefused: (storeTime) => options.observe?.({ ...timing(), storeTime }),
      },
    )
    return { answer, ...timing() }
  }
  return {
    claim: (call, signal) => send(ENDPOINTS.claim, call, claimAnswerSchema, signal, call.waitMs),
    receipts: (call, signal) => send(ENDPOINTS.receipts, call, receiptsAnswerSchema, signal),
    outcomes: (outcomes, signal) => send(ENDPOINTS.outcomes, { outcomes }, outcomesAnswerSchema, signal),
    heartbeat: (call, signal) => send(ENDPOINTS.heartbeat, call, heartbeatAnswerSchema, signal),
    publishSealingKeys: (call, signal) =>
      send(ENDPOINTS.publishSealingKeys, call, sealingKeysAnswerSchema, signal),
    publishPolicies: (name, policies, signal) =>
      send(withPath(ENDPOINTS.publishPolicies, { name }), policies, z.undefined(), signal),
  }
}

/** Begins to time a call; gives the moments around it so far. */
function startTiming(clock: Clock): () => { readonly sentMs: number; readonly answeredMs: number } {
  const begun = { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() }
  return () => {
    const answeredMs = clock.monotonicMs()
    const tookMs = Math.max(answeredMs - begun.monotonicMs, clock.wallMs() - begun.wallMs)
    return { sentMs: answeredMs - tookMs, answeredMs }
  }
}

const withPath = (endpoint: Endpoint, parameters: Readonly<Record<string, string>>): Endpoint => ({
  ...endpoint,
  path: pathOf(endpoint, parameters),
})

/** The one call of an agent that is not enrolled yet. Throws as StoreClient does. */
export function callEnrol(
  options: { readonly url: string; readonly fetch: Fetch; readonly timeoutMs: number },
  call: z.infer<typeof enrolCallSchema>,
  signal: AbortSignal,
): Promise<z.infer<typeof enrolAnswerSchema>> {
  return callStore(options, ENDPOINTS.enrol, Buffer.from(JSON.stringify(call)), enrolAnswerSchema, signal)
}

/** The credential of one call, and who hears the store's time when it is refused. */
interface Credential {
  readonly token: string
  readonly onRefused: (storeTime: number) => void
}

async function callStore<T>(
  options: { readonly url: string; readonly fetch: Fetch; readonly timeoutMs: number },
  endpoint: Endpoint,
  body: Uint8Array,
  schema: z.ZodType<T>,
  signal: AbortSignal,
  credential?: Credential,
): Promise<T> {
  const what = `${endpoint.method} ${endpoint.path}`
  const { status, bytes, date } = await exchange(options, endpoint, body, signal, what, credential?.token)
  if (status === 401 && Number.isFinite(date)) credential?.onRefused(date)
  if (status !== endpoint.status) throw classifyStatus(what, status, readProblem(bytes))
  try {
    const answer = status === 204 ? undefined : parseStrictJson(bytes)
    return parseDocument(`answer to ${what}`, answer, schema)
  } catch (cause) {
    throw new WritebackError(
      'ERR_STORE_ANSWER_INVALID',
      `${what}: the answer is not of the contract’s form`,
      { retry: 'later', cause },
    )
  }
}

async function exchange(
  options: { readonly url: string; readonly fetch: Fetch; readonly timeoutMs: number },
  endpoint: Endpoint,
  body: Uint8Array,
  signal: AbortSignal,
  what: string,
  token?: string,
): Promise<{ status: number; bytes: Buffer; date: number }> {
  // One deadline over the headers and the whole body: a body that drips cannot hold the agent.
  using deadline = createDeadline(signal, options.timeoutMs)
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json',
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  }
  try {
    const url = `${options.url.replace(/\/$/, '')}${endpoint.path}`
    const response = await options.fetch(url, {
      method: endpoint.method,
      headers,
      body,
      redirect: 'manual',
      signal: deadline.signal,
    })
    const date = Date.parse(response.headers.get('date') ?? '')
    return { status: response.status, bytes: await readLimited(response.body, what), date }
  } catch (cause) {
    // An answer that is cut off by the deadline looks like a broken connection from below.
    throw classifyNetworkFailure(what, deadline.signal.aborted ? deadline.signal.reason : cause)
  }
}

/** Aborts when `signal` does or the time is over; costs a call less than AbortSignal.any and AbortSignal.timeout. */
function createDeadline(
  signal: AbortSignal,
  timeoutMs: number,
): Disposable & { readonly signal: AbortSignal } {
  const ended = new AbortController()
  const onAbort = () => ended.abort(signal.reason)
  const timer = setTimeout(
    () => ended.abort(new DOMException('no answer in time', 'TimeoutError')),
    timeoutMs,
  )
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  return {
    signal: ended.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    },
  }
}

async function readLimited(body: AsyncIterable<Uint8Array> | null, what: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.length
    if (size > LARGEST_BODY)
      throw new WritebackError('ERR_STORE_ANSWER_INVALID', `${what}: the answer is too large`, {
        retry: 'later',
      })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function readProblem(bytes: Buffer): { code: string; detail?: string | undefined } | undefined {
  try {
    return foreignProblemSchema.parse(JSON.parse(bytes.toString('utf8')))
  } catch {
    return undefined
  }
}
