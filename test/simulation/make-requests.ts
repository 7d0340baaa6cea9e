// What users and administrators ask for in a run: resets, changes with right and wrong old passwords, unlocks, looks, several
// for one account, some in bursts.
import type { Operation } from '../../src/protocol/identifiers.ts'
import { sealPasswords } from '../../src/protocol/sealed-password.ts'
import type { CreateRequestCall } from '../../src/protocol/sealer-calls.ts'
import { CallRefused } from '../../src/reset-store/requests/call-refused.ts'
import { inTime } from '../../src/reset-store/requests/close-overdue.ts'
import { createRequest } from '../../src/reset-store/requests/create-request.ts'
import { sealRequest } from '../../src/reset-store/requests/seal-request.ts'
import { DIRECTORY } from './keys-of-the-run.ts'
import type { StoreProcess } from './simulated-store.ts'
import { keyOf } from './token-jose.ts'
import type { World } from './world.ts'

/** How many requests a run has at least. */
export const REQUESTS = 60
/** The first accounts of a run, which half of all requests are about. */
export const BUSY = 5
const FIRST_MS = 1_500
const WINDOW_MS = 30_000
const LOOK_AGAIN_MS = 700

interface Wish {
  readonly account: string
  readonly operation: Operation
  readonly unlock: boolean
  readonly mustChange: boolean
  readonly isSelf: boolean
  readonly isOldRight: boolean
  readonly isTooShort: boolean
}

/** Plans the requests of a run. `isHeld`: none may be made now. Gives how many are still to be made. */
export function makeRequests(world: World, isHeld: () => boolean): () => number {
  const { chance } = world.scheduler
  const busy = world.traits.accounts.slice(0, BUSY).map(({ guid }) => guid)
  let left = 0
  const plan = (atMs: number) => {
    left += 1
    const wish = drawWish(world, busy)
    const make = () => {
      const process = world.store.process()
      if (!process || isHeld()) return void world.scheduler.after(world.scheduler.world, LOOK_AGAIN_MS, make)
      world.scheduler.after(process.owner, 0, () => {
        left -= 1
        void ask(world, process, wish)
      })
    }
    world.scheduler.after(world.scheduler.world, atMs, make)
  }
  for (let index = 0; index < REQUESTS - 12; index += 1) plan(FIRST_MS + chance.between(0, WINDOW_MS))
  const burstAt = FIRST_MS + chance.between(0, WINDOW_MS)
  for (let index = 0; index < 16; index += 1) plan(burstAt + chance.between(0, 300))
  return () => left
}

function drawWish({ scheduler: { chance }, traits }: World, busy: readonly string[]): Wish {
  return {
    account: chance.happens(0.5) ? chance.pick(busy) : chance.pick(traits.accounts).guid,
    operation: chance.pick([
      'reset',
      'reset',
      'reset',
      'reset',
      'change',
      'change',
      'change',
      'unlock',
      'inspect',
    ]),
    unlock: chance.happens(0.6),
    mustChange: chance.happens(0.2),
    isSelf: chance.happens(0.3),
    isOldRight: chance.happens(0.6),
    isTooShort: chance.happens(0.04),
  }
}

async function ask(world: World, process: StoreProcess, wish: Wish): Promise<void> {
  const { context } = process
  try {
    const begun = await createRequest(context, 'root', wish.account, callOf(wish))
    const { request, expiresAt } = begun
    if (wish.operation === 'reset' || wish.operation === 'change') {
      const to = {
        requestId: request,
        operation: wish.operation,
        anchor: wish.account,
        directory: DIRECTORY,
        expiresAt,
      }
      const recipients = world.agents.map(({ keys }) => ({
        kid: keys.sealing.kid,
        key: keyOf(keys.sealing) as never,
      }))
      const sealed = await sealPasswords(passwordsOf(world, request, wish), to, recipients)
      await sealRequest(context, 'root', request, sealed)
    }
    await recordRequest(world, process, request, wish)
  } catch (error) {
    if (!(error instanceof CallRefused)) throw error
    world.note(`request refused: ${error.problem}`)
  }
}

function callOf({ operation, unlock, mustChange, isSelf }: Wish): CreateRequestCall {
  return {
    ...{ directory: DIRECTORY, operation },
    options: operation === 'reset' ? { unlock, mustChangeAtNextSignIn: mustChange } : {},
    ...(isSelf ? { actor: { kind: 'self' as const } } : {}),
  }
}

const TOO_SHORT = 'abc12'

function passwordsOf(
  world: World,
  request: string,
  { account, operation, isOldRight, isTooShort }: Wish,
): Buffer[] {
  const next = world.secrets.make(`new:${request}`)
  const made = Buffer.from(isTooShort ? TOO_SHORT : next)
  if (operation === 'reset') return [made]
  const [first] = world.model.servers
  const writer = world.model.servers.find(({ id }) => id === first?.writer)
  const now = writer?.entries.get(account)?.cells.password.value.text
  const old = isOldRight && now !== undefined ? now : world.secrets.make(`old:${request}`)
  world.secrets.setOld(request, old)
  return [Buffer.from(old), made]
}

async function recordRequest(world: World, { context }: StoreProcess, id: string, wish: Wish): Promise<void> {
  const found = await inTime(context, (records) => records.findRequest(id))
  if (!found?.issue) return
  const { storeAheadMs } = world.traits
  world.record({
    ...{ observer: 'store', kind: 'requested', request: id, operation: wish.operation, directory: DIRECTORY },
    ...{
      account: wish.account,
      sequence: found.issue.sequence ?? 0,
      issuedAt: found.issue.at - storeAheadMs,
    },
    ...{ expiresAt: found.expiresAt - storeAheadMs, unlock: wish.operation === 'unlock' || wish.unlock },
    mustChange: wish.mustChange,
    ...(wish.isTooShort ? { passwordLength: TOO_SHORT.length } : {}),
  })
}
