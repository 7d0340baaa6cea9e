// The way from an agent to the store: calls and answers come late, twice, cut off or not at all, and something in between
// may answer in the store's place.
import type { Fetch } from '../../src/agent/store-client/store-transport.ts'
import { STORE_URL } from './keys-of-the-run.ts'
import type { Owner, Scheduler } from './scheduler.ts'
import type { SimulatedStore, StoreAnswer } from './simulated-store.ts'

/** How likely each fault of a call is now; all 0: none. */
export interface StoreFaults {
  readonly slow: number
  readonly lostBefore: number
  readonly lostAfter: number
  readonly duplicated: number
  readonly serverError: number
  readonly redirected: number
  readonly truncated: number
}

/** Names of the faults, for the summary. */
export type StoreFaultName = keyof StoreFaults

/** What the network needs to know. */
export interface StoreNetworkOptions {
  readonly scheduler: Scheduler
  readonly store: SimulatedStore
  readonly faults: () => StoreFaults | undefined
  /** True while this agent cannot reach the store at all. */
  readonly isCut: (agent: string) => boolean
  readonly note: (fault: StoreFaultName) => void
  /** Told of each contact with somebody who is not the store. */
  readonly contacted: (agent: string, host: string) => void
  /** Told when the store's word on a pause comes to an agent's process and is another one than before. */
  readonly pauseHeard: (agent: string, on: boolean) => void
  /** Told of every byte an agent sent or heard. */
  readonly heard: (text: string) => void
}

type Answer = Awaited<ReturnType<Fetch>>

/** Makes the fetch of one process of an agent. */
export function createSimulatedFetch(options: StoreNetworkOptions, owner: Owner, agent: string): Fetch {
  const { scheduler, store } = options
  const { chance } = scheduler
  const network = scheduler.world
  const latency = () => chance.between(1, 12)
  let isPaused = false
  const notePause = (answer: StoreAnswer) => {
    const on = pauseIn(answer)
    if (on === undefined || on === isPaused) return
    isPaused = on
    options.pauseHeard(agent, on)
  }

  const draw = (): StoreFaultName | undefined => {
    const faults = options.faults()
    if (!faults) return undefined
    for (const [name, probability] of Object.entries(faults) as [StoreFaultName, number][])
      if (chance.happens(probability)) {
        options.note(name)
        return name
      }
    return undefined
  }

  return (url, init) =>
    new Promise<Answer>((resolve, reject) => {
      const { host, pathname: path } = new URL(url)
      const gone = new AbortController()
      const later = (ms: number, run: () => void) => scheduler.after(owner, ms, run)
      let isLost = false
      const fail = (ms: number, why: string) =>
        later(ms, () => {
          isLost = true
          reject(Object.assign(new Error(why), { code: 'ECONNRESET' }))
        })
      let unwatch = () => {}
      // The store hears of it in its own time, if it is still the process that was called.
      let callee = network
      const leave = () => scheduler.after(callee, latency(), () => gone.abort('the caller is gone'))
      init.signal.addEventListener(
        'abort',
        () => {
          unwatch()
          reject(init.signal.reason)
          leave()
        },
        { once: true },
      )
      if (init.signal.aborted) return reject(init.signal.reason)
      if (url.slice(0, STORE_URL.length) !== STORE_URL) {
        options.contacted(agent, host)
        later(latency(), () => resolve(answerFrom({ status: 200, body: '{}' })))
        return
      }
      const fault = draw()
      if (options.isCut(agent)) return void fail(latency(), 'no route to the store')
      if (fault === 'serverError')
        return void later(latency(), () =>
          resolve(answerFrom({ status: chance.pick([500, 502, 503]), body: 'oops' })),
        )
      if (fault === 'redirected')
        return void later(latency(), () =>
          resolve(answerFrom({ status: 307, body: '' }, { location: `https://elsewhere.test${path}` })),
        )
      if (fault === 'lostBefore') {
        // Half of them are told, the others only by the caller's own deadline.
        if (chance.happens(0.5)) fail(latency(), 'connection reset')
        return
      }
      const body = Buffer.from(init.body ?? [])
      options.heard(body.toString('utf8'))
      const token = (init.headers['authorization'] ?? '').replace(/^Bearer /, '')
      const call = { method: init.method, path, token, body, signal: gone.signal }
      const hear = (answer: StoreAnswer, isFirst: boolean) => {
        options.heard(answer.body)
        if (!isFirst) return
        const slow = fault === 'slow' ? chance.between(800, 12_000) : 0
        if (fault === 'lostAfter') {
          if (chance.happens(0.5)) fail(latency(), 'connection reset')
          return
        }
        const text =
          fault === 'truncated'
            ? answer.body.slice(0, chance.between(0, answer.body.length - 1))
            : answer.body
        later(latency() + slow, () => {
          // Who has given up meanwhile, or whose connection is gone with the store, hears nothing.
          if (!init.signal.aborted && !isLost) notePause({ ...answer, body: text })
          resolve(answerFrom({ ...answer, body: text }))
        })
      }
      const arrive = (isFirst: boolean) => {
        const process = store.process()
        if (!process) {
          if (isFirst) fail(latency(), 'connection refused')
          return
        }
        callee = process.owner
        scheduler.after(process.owner, 0, () => {
          void process.serve(call).then((answer) => hear(answer, isFirst))
        })
        if (isFirst) watchDeath(process.owner)
      }
      // Either side ends while the call waits in the store: the other hears that the connection is reset.
      const watchDeath = (process: Owner) => {
        const callerEnded = () => leave()
        const storeEnded = () => void fail(1, 'connection reset')
        owner.mourners.add(callerEnded)
        process.mourners.add(storeEnded)
        unwatch = () => {
          owner.mourners.delete(callerEnded)
          process.mourners.delete(storeEnded)
        }
      }
      const settled = resolve
      resolve = (value) => {
        unwatch()
        settled(value)
      }
      const way = latency() + (fault === 'slow' ? chance.between(0, 3_000) : 0)
      scheduler.after(network, way, () => arrive(true))
      if (fault === 'duplicated')
        scheduler.after(network, way + chance.between(0, 4_000), () => arrive(false))
    })
}

/** What a whole answer says of a pause; undefined: nothing. */
function pauseIn({ status, body }: StoreAnswer): boolean | undefined {
  if (status !== 200) return undefined
  try {
    return (JSON.parse(body) as { readonly paused?: boolean }).paused
  } catch {
    return undefined
  }
}

function answerFrom({ status, body }: StoreAnswer, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { get: (name) => headers[name] ?? null },
    body: (async function* () {
      yield Buffer.from(body)
    })(),
  }
}
