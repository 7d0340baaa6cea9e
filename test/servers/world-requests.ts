// Requests of a world's administrator: begun, sealed where there is something to seal, and waited for.
import type { EndpointName } from '../../src/protocol/endpoints.ts'
import type { Operation } from '../../src/protocol/identifiers.ts'
import { sealPasswords } from '../../src/protocol/sealed-password.ts'
import type { CreateRequestAnswer, CreateRequestCall, Verdict } from '../../src/protocol/sealer-calls.ts'
import { verifySealingKey } from '../../src/protocol/sealing-key.ts'
import { importPublicKey } from '../../src/protocol/signed-message.ts'

/** A call of the store's administrator; answers status and JSON. */
export type Admin = (
  name: EndpointName,
  body?: unknown,
  parameters?: Readonly<Record<string, string>>,
  query?: string,
) => Promise<{ status: number; json: unknown }>

/** Whom a request is for; `directory` is the world's first one where it is left out. */
export interface Target {
  readonly anchor: string
  readonly directory?: string
}

/** What to say beside the operation. `passwords`: of a reset the new one, of a change the current and the new one. */
export interface RequestWish {
  readonly passwords?: readonly Buffer[]
  readonly options?: CreateRequestCall['options']
  readonly actor?: CreateRequestCall['actor']
  /** Called with the id, and waited for, before anything is sealed: from then on the request may be carried out. */
  readonly onCreated?: (request: string) => void | Promise<void>
}

/** Begins a request and seals it where it takes passwords; gives its id. */
export async function sendRequest(
  admin: Admin,
  operation: Operation,
  { anchor, directory }: Required<Target>,
  { passwords = [], options = {}, actor, onCreated }: RequestWish,
): Promise<string> {
  const body = { directory, operation, options, ...(actor ? { actor } : {}) }
  const created = orFail<CreateRequestAnswer>(await admin('createRequest', body, { anchor }), 201)
  await onCreated?.(created.request)
  if (passwords.length > 0)
    orFail(await admin('seal', await sealFor(created, passwords), { id: created.request }), 200)
  return created.request
}

function orFail<T>({ status, json }: Awaited<ReturnType<Admin>>, expected: number): T {
  if (status === expected) return json as T
  throw new Error(`the store does not take the request: ${status} ${JSON.stringify(json)}`)
}

/** Seals passwords for a request that was begun; gives the body of the call that hands them in. */
export async function sealFor(created: CreateRequestAnswer, passwords: readonly Buffer[]) {
  const recipients = await Promise.all(
    created.agents.map(async ({ sealingKey, identityKey }) => {
      const key = await verifySealingKey(sealingKey, identityKey)
      return { kid: key.kid, key: await importPublicKey(key) }
    }),
  )
  const { request: requestId, operation, anchor, directory, expiresAt } = created
  return sealPasswords(passwords, { requestId, operation, anchor, directory, expiresAt }, recipients)
}

/** The verdict, waiting for the end of the request, also while the store is away. */
export async function awaitVerdict(admin: Admin, request: string, withinMs: number): Promise<Verdict> {
  const end = performance.now() + withinMs
  for (;;) {
    const wait = Math.max(0, Math.min(10_000, Math.round(end - performance.now())))
    const verdict = await admin('verdict', undefined, { id: request }, `?wait=${wait}`).then(
      ({ json }) => json as Verdict,
      () => undefined,
    )
    if (verdict && (verdict.state === 'closed' || performance.now() >= end)) return verdict
    if (performance.now() >= end) throw new Error(`the store has no verdict for ${request}`)
    if (!verdict) await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
