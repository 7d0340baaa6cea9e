// The work that goes on while things break: resets, changes with right and wrong old passwords, unlocks, inspections.
import { setTimeout as sleep } from 'node:timers/promises'
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

// Each waits for its answer before it asks again, so that no more is open than a slow machine can carry.
const PEOPLE = 24
const LONGEST_THOUGHT_MS = 4_000
const PATIENCE_MS = 15_000
// Who seals late leaves little of a request's minute: some expire under way, and are settled after their expiry.
const LATE_SHARE = 0.3
const SHORTEST_DELAY_MS = 30_000
const LONGEST_DELAY_MS = 50_000

/** Lets people ask until it is ended. */
export function startLoad(stage: Stage, random: Random): Load {
  const over = Promise.withResolvers<void>()
  let isOver = false
  let asked = 0
  let refused = 0
  let words = 0
  const password = (): Buffer => {
    words += 1
    return Buffer.from(`Chaos!${words}-${Math.floor(random.next() * 1e9)}x`)
  }
  const live = async () => {
    while (!isOver) {
      await Promise.race([sleep(random.between(100, LONGEST_THOUGHT_MS)), over.promise])
      if (isOver) return
      const delayMs = random.next() < LATE_SHARE ? random.between(SHORTEST_DELAY_MS, LONGEST_DELAY_MS) : 0
      const think = () => Promise.race([sleep(delayMs, undefined, { ref: false }), over.promise])
      const request = await askOne(stage, random, password, think).catch(() => undefined)
      if (request === undefined) refused += 1
      else {
        asked += 1
        await Promise.race([stage.world.verdict(request, PATIENCE_MS).catch(() => undefined), over.promise])
      }
    }
  }
  const people = Array.from({ length: PEOPLE }, live)
  return {
    asked: () => asked,
    refused: () => refused,
    end: async () => {
      isOver = true
      over.resolve()
      await Promise.all(people)
    },
  }
}

async function askOne(
  stage: Stage,
  random: Random,
  password: () => Buffer,
  think: Wish['think'],
): Promise<string> {
  const actor = random.pick(stage.actors)
  const drawn = random.next()
  if (drawn < 0.5) {
    const options = { unlock: random.next() < 0.5, mustChangeAtNextSignIn: random.next() < 0.1 }
    return ask(stage, actor, 'reset', { passwords: [password()], options, think })
  }
  if (drawn < 0.8) {
    const current = actor.secrets.at(-1)?.secret as Buffer
    const old = drawn < 0.75 ? current : wrongPassword()
    return ask(stage, actor, 'change', { passwords: [old, password()], think })
  }
  return ask(stage, actor, drawn < 0.92 ? 'unlock' : 'inspect', { think })
}

interface Wish {
  /** What passes between the request and its sealed password. */
  readonly think: () => Promise<unknown>
  readonly passwords?: readonly Buffer[]
  readonly options?: { readonly unlock: boolean; readonly mustChangeAtNextSignIn: boolean }
}

function ask(
  { world, recorder, lengths }: Stage,
  actor: Actor,
  operation: 'reset' | 'change' | 'unlock' | 'inspect',
  wish: Wish,
): Promise<string> {
  const { passwords = [], think } = wish
  return world.request(operation, actor.user, {
    ...wish,
    onCreated: async (request) => {
      actor.open.add(request)
      const next = passwords.at(-1)
      if (next === undefined) return
      recorder.secrets.learn(`new:${request}`, next)
      if (operation === 'change') recorder.secrets.learn(`old:${request}`, passwords[0] as Buffer)
      actor.secrets.push({ name: `new:${request}`, secret: next })
      lengths.set(request, next.length)
      await think()
    },
  })
}
