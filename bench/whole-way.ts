// The product as a person's browser sees it: a request created and sealed at the store, and its verdict from there.
import { sealPasswords } from '../src/protocol/sealed-password.ts'
import type { CreateRequestAnswer, Verdict } from '../src/protocol/sealer-calls.ts'
import { verifySealingKey } from '../src/protocol/sealing-key.ts'
import { importPublicKey } from '../src/protocol/signed-message.ts'
import type { DirectoryKind } from '../test/servers/directory-kinds.ts'
import type { World, WorldUser } from '../test/servers/writeback-world.ts'
import { freshPassword } from './fresh-password.ts'

type AnyWorld = World<DirectoryKind>

/** How long one request took, milliseconds, from two moments to the answer that held its verdict. */
export interface WholeWay {
  readonly fromCreateMs: number
  /** From the start of the call that hands in the sealed password. */
  readonly fromSealMs: number
}

/** One reset from beginning to end. Throws when it ends otherwise than applied. */
export async function resetOnce(world: AnyWorld, user: WorldUser): Promise<WholeWay> {
  const createdAt = performance.now()
  const begun = await begin(world, user)
  const sealedAt = performance.now()
  await begun.seal()
  await awaitApplied(world, begun.request)
  const endedAt = performance.now()
  return { fromCreateMs: endedAt - createdAt, fromSealMs: endedAt - sealedAt }
}

/** Asks for a reset without waiting for it; gives the request's id. */
export async function ask(world: AnyWorld, user: WorldUser): Promise<string> {
  const { request, seal } = await begin(world, user)
  await seal()
  return request
}

/** Waits for the verdict. Throws when it is not `applied`. */
export async function awaitApplied(world: AnyWorld, request: string): Promise<void> {
  for (;;) {
    const { json } = await world.admin('verdict', undefined, { id: request }, '?wait=10000')
    const { state, outcome, reason, detail } = json as Verdict
    if (state !== 'closed') continue
    if (outcome !== 'applied') throw new Error(`${request} ended ${outcome} ${reason ?? ''} ${detail ?? ''}`)
    return
  }
}

/** Creates a request and seals a password for it; `seal` hands it in. */
export async function begin(world: AnyWorld, user: WorldUser) {
  const wish = { directory: 'corp', operation: 'reset', options: {} }
  const { status, json } = await world.admin('createRequest', wish, { anchor: user.anchor })
  if (status !== 201) throw new Error(`the store takes no request: ${status} ${JSON.stringify(json)}`)
  const { request, operation, directory, expiresAt, agents } = json as CreateRequestAnswer
  const recipients = await Promise.all(
    agents.map(async ({ sealingKey, identityKey }) => {
      const key = await verifySealingKey(sealingKey, identityKey)
      return { kid: key.kid, key: await importPublicKey(key) }
    }),
  )
  const bound = { requestId: request, operation, anchor: user.anchor, directory, expiresAt }
  const sealed = await sealPasswords([freshPassword()], bound, recipients)
  const seal = async () => {
    const answer = await world.admin('seal', sealed, { id: request })
    if (answer.status >= 300) throw new Error(`the store takes no sealed value: ${answer.status}`)
  }
  return { request, seal }
}
