// The work that goes on while things break: resets, changes with right and wrong old passwords, unlocks, inspections.
import { wrongPassword } from '../servers/canaries.ts'
import type { Actor, Stage } from './chaos-world.ts'
import type { Random } from './random.ts'

/** What the load came to. */
export interface Load {
  readonly asked: () => number
  /** Requests that the store did not take, because it was away. */
  readonly refused: () => number
  /** Ends asking; resolves when the last request is with the store. */
  readonly end: () => Promise<void>
}

/** Asks for something every `everyMs` until it is ended. */
export function startLoad(stage: Stage, random: Random, everyMs: number): Load {
  let asked = 0
  let refused = 0
  let words = 0
  const underWay = new Set<Promise<void>>()
  const password = (): Buffer => {
    words += 1
    return Buffer.from(`Chaos!${words}-${Math.floor(random.next() * 1e9)}x`)
  }
  const timer = setInterval(() => {
    const one = askOne(stage, random, password)
      .then(
        () => {
          asked += 1
        },
        () => {
          refused += 1
        },
      )
      .finally(() => underWay.delete(one))
    underWay.add(one)
  }, everyMs)
  return {
    asked: () => asked,
    refused: () => refused,
    end: async () => {
      clearInterval(timer)
      await Promise.allSettled(underWay)
    },
  }
}

async function askOne(stage: Stage, random: Random, password: () => Buffer): Promise<void> {
  const actor = random.pick(stage.actors)
  const drawn = random.next()
  if (drawn < 0.5) {
    const options = { unlock: random.next() < 0.5, mustChangeAtNextSignIn: random.next() < 0.1 }
    await ask(stage, actor, 'reset', { passwords: [password()], options })
  } else if (drawn < 0.8) {
    const current = actor.secrets.at(-1)?.secret as Buffer
    const old = drawn < 0.75 ? current : wrongPassword()
    await ask(stage, actor, 'change', { passwords: [old, password()] })
  } else await ask(stage, actor, drawn < 0.92 ? 'unlock' : 'inspect', {})
}

interface Wish {
  readonly passwords?: readonly Buffer[]
  readonly options?: { readonly unlock: boolean; readonly mustChangeAtNextSignIn: boolean }
}

async function ask(
  { world, recorder, lengths }: Stage,
  actor: Actor,
  operation: 'reset' | 'change' | 'unlock' | 'inspect',
  wish: Wish,
): Promise<void> {
  const { passwords = [] } = wish
  await world.request(operation, actor.user, {
    ...wish,
    onCreated: (request) => {
      actor.open.add(request)
      const next = passwords.at(-1)
      if (next === undefined) return
      recorder.secrets.learn(`new:${request}`, next)
      if (operation === 'change') recorder.secrets.learn(`old:${request}`, passwords[0] as Buffer)
      actor.secrets.push({ name: `new:${request}`, secret: next })
      lengths.set(request, next.length)
    },
  })
}
