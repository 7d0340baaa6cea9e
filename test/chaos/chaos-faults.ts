// What a chaos run does to the processes and to the world between them. Each fault undoes itself.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SupervisorEvent } from '../history/event.ts'
import { wrongPassword } from '../servers/canaries.ts'
import { guardGroup } from '../servers/child-process.ts'
import type { RecordedMessage, RequestFault } from '../servers/ldap-faults.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { queueKeys, withPrivateRedis } from '../servers/private-redis.ts'
import type { WorldAgent } from '../servers/world-agents.ts'
import type { Stage } from './chaos-world.ts'
import type { Random } from './random.ts'

/** One fault on one target. */
export interface Fault {
  readonly name: string
  /** What it needs for itself alone; no two faults on one target at a time. */
  readonly target: string
  /** How often it is chosen, beside the others. */
  readonly weight: number
  /** Whom it concerns, as the history names them: an agent's id, `store` or `directory`; `people`: nobody's way. */
  readonly whose: string
  /** Does it and undoes it; false: there was nothing that it could strike. */
  readonly run: (random: Random) => Promise<boolean>
}

/** Everything that can be done to a stage. */
export function listFaults(stage: Stage): readonly Fault[] {
  return [
    ...stage.world.agents.flatMap((agent) => [
      ...processFaults(stage, agent),
      ...redisFaults(agent),
      ...wireFaults(agent),
    ]),
    ...worldFaults(stage),
  ]
}

/** Writes down what happens to a process. */
export function noteProcess(
  { recorder }: Stage,
  agent: WorldAgent,
  what: Extract<SupervisorEvent, { kind: 'process' }>['what'],
  status?: number | string,
): void {
  const at = recorder.now()
  const rest = status === undefined ? {} : { status }
  recorder.add({ at, observer: 'supervisor', kind: 'process', agent: agent.id, what, ...rest })
}

/** Starts an agent, again and again while the rest of the world is not there for it. */
export async function startAgent(stage: Stage, agent: WorldAgent): Promise<void> {
  for (let tries = 0; tries < 10; tries += 1) {
    noteProcess(stage, agent, 'started')
    try {
      await agent.start()
      return
    } catch {
      // Not ready in time: the start was ended by force.
      noteProcess(stage, agent, 'killed')
    }
  }
  throw new Error(`${agent.name} does not start any more`)
}

const PAST_THE_LEASE_MS = 33_000

function processFaults(stage: Stage, agent: WorldAgent): Fault[] {
  const target = agent.name
  const whose = agent.id
  return [
    {
      name: 'agent killed',
      target,
      whose,
      weight: 4,
      run: async (random) => {
        noteProcess(stage, agent, 'killed')
        await agent.kill()
        await sleep(random.between(0, 2_000))
        await startAgent(stage, agent)
        return true
      },
    },
    {
      name: 'agent stopped past its leases',
      target,
      whose,
      weight: 2,
      run: async (random) => {
        noteProcess(stage, agent, 'stopped')
        process.kill(agent.pid(), 'SIGSTOP')
        await sleep(PAST_THE_LEASE_MS + random.between(0, 4_000))
        process.kill(agent.pid(), 'SIGCONT')
        noteProcess(stage, agent, 'continued')
        return true
      },
    },
    {
      name: 'agent asked to end',
      target,
      whose,
      weight: 2,
      run: async (random) => {
        noteProcess(stage, agent, 'asked_to_end')
        const status = await agent.stop()
        noteProcess(stage, agent, 'exited', status)
        await sleep(random.between(0, 1_000))
        await startAgent(stage, agent)
        return true
      },
    },
  ]
}

/** The private Redis of an agent, found by its command line. */
function redisPid({ stateDirectory }: WorldAgent): number | undefined {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        const isOwn = words.includes('redis-server') && words.includes(`${stateDirectory}/`)
        return isOwn && !words.startsWith('setpriv')
      } catch {
        return false
      }
    })
}

function redisFaults(agent: WorldAgent): Fault[] {
  const target = `redis of ${agent.name}`
  const strike = (
    name: string,
    weight: number,
    run: (pid: number, random: Random) => Promise<boolean>,
  ): Fault => ({
    name,
    target,
    whose: agent.id,
    weight,
    run: async (random) => {
      const pid = redisPid(agent)
      return pid !== undefined && run(pid, random)
    },
  })
  return [
    strike('Redis killed', 2, async (pid) => {
      process.kill(pid, 'SIGKILL')
      await sleep(500)
      return true
    }),
    strike('Redis wiped', 2, () => wipe(agent)),
    strike('Redis stopped', 1, async (pid, random) => {
      const guard = guardGroup(pid)
      process.kill(pid, 'SIGSTOP')
      await sleep(random.between(2_000, 8_000))
      try {
        process.kill(pid, 'SIGCONT')
      } catch {
        // Its agent ended it meanwhile.
      }
      guard.stdin?.end('resumed\n')
      return true
    }),
  ]
}

// The agent's own account may delete every key it may name; FLUSHALL is not among its commands.
const wipe = ({ stateDirectory }: WorldAgent): Promise<boolean> =>
  withPrivateRedis(stateDirectory, async (redis) => {
    const keys = await queueKeys(redis)
    if (keys.length > 0) await redis.del(keys)
    return true
    // It is being started again.
  }).catch(() => false)

const isMarked = ({ operation, direction }: RecordedMessage): boolean =>
  operation === 'modify' && direction === 'request'

const RULE_WAIT_MS = 8_000

function wireFaults(agent: WorldAgent): Fault[] {
  const proxy = agent.proxy as LdapProxy
  const target = `proxy of ${agent.name}`
  const whose = agent.id
  const onWrite = (name: string, makeFault: (random: Random) => RequestFault, most = 3): Fault => ({
    name,
    target,
    whose,
    weight: 2,
    run: async (random) => {
      const rule = proxy.onRequest(isMarked, makeFault(random), random.between(1, most))
      await Promise.race([rule.hit, sleep(RULE_WAIT_MS)])
      await sleep(random.between(0, 6_000))
      rule.remove()
      await Promise.race([rule.release(), sleep(RULE_WAIT_MS)])
      return rule.hits() > 0
    },
  })
  return [
    onWrite('answer swallowed', () => ({ kind: 'swallow-response' })),
    onWrite('request swallowed', () => ({ kind: 'swallow-request' })),
    onWrite('held, and delivered late', () => ({ kind: 'hold' })),
    onWrite('cut in the middle', (random) => ({ kind: 'cut', bytes: random.between(0, 200) })),
    onWrite('reset', (random) => ({
      kind: 'reset',
      when: random.pick(['before', 'forwarded', 'answered'] as const),
    })),
    onWrite('request delayed', (random) => ({ kind: 'delay-request', ms: random.between(200, 4_000) })),
    onWrite('answer delayed', (random) => ({ kind: 'delay-response', ms: random.between(200, 4_000) })),
    onWrite('in single bytes', () => ({ kind: 'slice' }), 1),
    onWrite('delivered twice', () => ({ kind: 'duplicate' })),
    onWrite('busy or unavailable', (random) => ({
      kind: 'answer',
      result: { code: random.pick([51, 52]), diagnostic: 'chaos' },
    })),
    {
      name: 'connections ended',
      target,
      whose,
      weight: 1,
      run: async (random) => {
        proxy.disconnectAll(random.next() < 0.5 ? { code: 52, diagnostic: 'chaos' } : undefined)
        return true
      },
    },
    {
      name: 'connections refused',
      target,
      whose,
      weight: 1,
      run: async (random) => {
        await proxy.refuseConnections()
        proxy.disconnectAll()
        await sleep(random.between(1_000, 6_000))
        await proxy.acceptConnections()
        return true
      },
    },
  ]
}

let foreignPasswords = 0

function worldFaults(stage: Stage): Fault[] {
  const { world, recorder, server } = stage
  const reachable = (isReachable: boolean) =>
    recorder.add({ at: recorder.now(), observer: 'supervisor', kind: 'server', server, isReachable })
  const pause = async (on: boolean) => {
    await world.admin('setPause', { paused: on })
    recorder.add({ at: recorder.now(), observer: 'store', kind: 'pause', on })
  }
  return [
    {
      name: 'store killed',
      target: 'store',
      whose: 'store',
      weight: 6,
      run: async (random) => {
        await world.store.kill()
        await sleep(random.between(0, 3_000))
        await world.store.start()
        return true
      },
    },
    {
      name: 'directory server killed',
      target: 'directory',
      whose: 'directory',
      weight: 3,
      run: async (random) => {
        stage.isDirectoryThere = false
        reachable(false)
        await world.domain.kill()
        await sleep(random.between(0, 4_000))
        await world.domain.restart()
        reachable(true)
        stage.isDirectoryThere = true
        return true
      },
    },
    {
      name: 'password set by somebody else',
      target: 'directory',
      whose: 'people',
      weight: 8,
      run: (random) => setForeign(stage, random),
    },
    {
      name: 'account locked by somebody',
      target: 'directory',
      whose: 'people',
      weight: 4,
      run: (random) => lock(stage, random),
    },
    {
      name: 'paused',
      target: 'store',
      whose: 'store',
      weight: 4,
      run: async (random) => {
        const ms = random.between(500, 4_000)
        await pause(true)
        await Promise.all([sleep(ms), ...world.agents.map((agent) => awaitHearing(stage, agent, ms))])
        // From here on an agent may hear that it is over.
        for (const agent of world.agents) noteHearing(stage, agent, false)
        await pause(false)
        return true
      },
    },
  ]
}

const noteHearing = ({ recorder }: Stage, { id: agent }: WorldAgent, on: boolean): void =>
  recorder.add({ at: recorder.now(), observer: 'store', kind: 'pause_heard', agent, on })

/** Asks the agent itself, which has no reason to claim it, until it knows of the pause; at most so long. */
async function awaitHearing(stage: Stage, agent: WorldAgent, withinMs: number): Promise<void> {
  let isOver = false
  const listen = async () => {
    while (!isOver) {
      const status = await agent.ops('/status').catch(() => undefined)
      if (isOver) return
      if ((status?.json as { readonly paused?: boolean } | undefined)?.paused) {
        noteHearing(stage, agent, true)
        return
      }
      await sleep(100)
    }
  }
  await Promise.race([listen(), sleep(withinMs)])
  isOver = true
}

async function setForeign({ world, recorder, actors }: Stage, random: Random): Promise<boolean> {
  const actor = random.pick(actors.filter(({ mayBeWritten }) => mayBeWritten))
  foreignPasswords += 1
  const name = `foreign:${foreignPasswords}`
  const secret = Buffer.from(`Foreign!${foreignPasswords}-${random.between(1, 1e9)}y`)
  actor.secrets.push({ name, secret })
  recorder.secrets.learn(name, secret)
  const since = recorder.now()
  await world.domain.setPassword(actor.user.dn, secret)
  recorder.add({
    at: recorder.now(),
    observer: 'directory',
    kind: 'foreign',
    account: actor.user.anchor,
    what: 'password',
    server: null,
    since,
    secret: name,
  })
  return true
}

async function lock({ world, recorder, actors }: Stage, random: Random): Promise<boolean> {
  const actor = random.pick(actors.filter(({ mayBeWritten }) => mayBeWritten))
  const note = (what: 'bad_password' | 'locked') =>
    recorder.add({
      at: recorder.now(),
      observer: 'directory',
      kind: 'foreign',
      account: actor.user.anchor,
      what,
      server: null,
    })
  for (let tries = 0; tries < 6; tries += 1) {
    note('bad_password')
    await world.domain.canBind(actor.user.principal, wrongPassword())
  }
  note('locked')
  return true
}
