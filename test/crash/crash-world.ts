// The world of the crash matrix: one domain, one store, agents of the test build; and the users that requests are for.
import path from 'node:path'
import { isAbout } from '../e2e/password-writes.ts'
import {
  changedPassword,
  laterPassword,
  newPassword,
  oldPassword,
  wrongPassword,
} from '../servers/canaries.ts'
import type { DirectoryKind } from '../servers/directory-kinds.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import type { ProofDirectory } from '../servers/turn-of-commit.ts'
import type { WorldAgent } from '../servers/world-agents.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import type { WritingOperation } from '../test-build/crash-points.ts'
import { type CrashHistory, createCrashHistory } from './crash-history.ts'
import { type EffectCounts, readEffects } from './read-effects.ts'

/** Wrong passwords that lock an account of this world. */
export const LOCKOUT_THRESHOLD = 4

/** A user with what was true of the account before the request. */
export interface Subject {
  readonly user: WorldUser
  readonly operation: WritingOperation
  readonly before: EffectCounts
}

/** A world whose agents can be made to crash. */
export interface CrashWorld {
  readonly world: World<DirectoryKind>
  readonly agent: WorldAgent
  readonly proxies: readonly LdapProxy[]
  readonly history: CrashHistory
  readonly createUser: (name: string) => Promise<WorldUser>
  /** Begins a reset of anybody. */
  readonly reset: (user: WorldUser, password: Buffer) => Promise<string>
  /** A fresh account, locked when it is for an unlock. */
  readonly subject: (operation: WritingOperation) => Promise<Subject>
  /** Begins the request that the subject was made for. `onCreated`: as of `World.request`. */
  readonly ask: (subject: Subject, onCreated?: (request: string) => void) => Promise<string>
  /** Starts the request of another user, and gives when the directory accepted its write. */
  readonly probe: () => Promise<Probe>
}

/** A request of somebody else, to see when the agent is back at work. */
export interface Probe {
  readonly request: string
  /** `performance.now()` at the moment the directory had accepted it; undefined: not within a minute. */
  readonly appliedAt: () => Promise<number | undefined>
}

/** What a world of the matrix is made with. */
export interface CrashWorldOptions {
  readonly directory: ProofDirectory
  /** So many of the agents run at once. Default all. */
  readonly running?: number
  /** The bug to plant into them. */
  readonly plant?: string | undefined
}

/** Starts the world. */
export async function startCrashWorld(
  agents: number,
  { directory: { kind, scheme }, running = agents, plant }: CrashWorldOptions,
): Promise<CrashWorld> {
  const history = createCrashHistory(agents, LOCKOUT_THRESHOLD, kind)
  const world = await startWorld<DirectoryKind>({
    kind,
    watch: history.watch,
    beforeAgent: (_directory, domain) => history.prepare(domain),
    ...{ agents, runningAgents: running },
    agentImports: [path.resolve(import.meta.dirname, '../test-build/crash-build.ts')],
    agentEnv: plant === undefined ? {} : { PLANT: plant },
    requestLifetimeSeconds: 600,
    domain: {
      ...(scheme === undefined ? {} : { scheme }),
      policy: {
        minPasswordAgeMs: 0,
        lockoutThreshold: LOCKOUT_THRESHOLD,
        lockoutDurationMs: 1_800_000,
        lockoutWindowMs: 1_800_000,
      },
    },
    directorySettings: `    operationTimeoutSeconds: 3
    limits: { perAccountAndHour: 1000, perMinute: 100000, burst: 1000000 }`,
  })
  history.begin(world)
  const proxies = world.agents.map(({ proxy }) => proxy as LdapProxy)
  const createUser = async (name: string) => {
    const user = await world.createUser({ name })
    history.born(user)
    return user
  }
  const send = async (
    user: WorldUser,
    operation: WritingOperation,
    passwords: readonly Buffer[],
    onCreated?: (request: string) => void,
  ) => {
    const request = await world.request(operation, user, { passwords, ...(onCreated ? { onCreated } : {}) })
    history.asked(request, user, passwords)
    return request
  }
  const reset: CrashWorld['reset'] = (user, password) => send(user, 'reset', [password])
  let users = 0
  const subject = async (operation: WritingOperation): Promise<Subject> => {
    users += 1
    const user = await createUser(`crash${users}`)
    if (operation === 'unlock') {
      for (let tries = 0; tries < LOCKOUT_THRESHOLD; tries += 1)
        await world.domain.canBind(user.principal, wrongPassword())
      history.locked(user)
    }
    return { user, operation, before: await readEffects(world.domain, user.dn) }
  }
  return {
    ...{ world, agent: world.agent, proxies, history, createUser, reset, subject },
    ask: ({ user, operation }, onCreated) => send(user, operation, passwordsOf(operation), onCreated),
    probe: createProbe(proxies, createUser, reset),
  }
}

function passwordsOf(operation: WritingOperation): readonly Buffer[] {
  if (operation === 'unlock') return []
  return operation === 'reset' ? [newPassword()] : [oldPassword(), changedPassword()]
}

/** The password that is valid when the effect of an operation is there; or is not. */
export function validPassword(operation: WritingOperation, isApplied: boolean): Buffer {
  if (!isApplied || operation === 'unlock') return oldPassword()
  return operation === 'reset' ? newPassword() : changedPassword()
}

function createProbe(
  proxies: readonly LdapProxy[],
  createUser: CrashWorld['createUser'],
  reset: CrashWorld['reset'],
): CrashWorld['probe'] {
  let user: WorldUser | undefined
  let count = 0
  return async () => {
    user ??= await createUser('probe')
    const somebody = user
    const applied = () => proxies.flatMap((proxy) => acceptedAt(proxy, somebody))
    const earlier = applied().length
    count += 1
    const request = await reset(
      user,
      Buffer.from(`${count % 2 === 0 ? newPassword() : laterPassword()} ${count}`),
    )
    const appliedAt = async () => {
      const end = performance.now() + 60_000
      for (;;) {
        const at = applied()[earlier]
        if (at !== undefined) return at
        if (performance.now() > end) return undefined
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    return { request, appliedAt }
  }
}

const EFFECTS = /^(unicodepwd|lockouttime|userpassword|pwdaccountlockedtime)$/i

/** When the directory accepted modifies of an account, fences not counted. */
export function acceptedAt(proxy: LdapProxy, user: WorldUser): readonly number[] {
  const messages = proxy.messages()
  return messages
    .filter(
      (message) =>
        message.operation === 'modify' &&
        message.direction === 'request' &&
        isAbout(message, user) &&
        (message.changes ?? []).some(({ attribute }) => EFFECTS.test(attribute)),
    )
    .flatMap(({ connection, messageId }) =>
      messages
        .filter(
          (answer) =>
            answer.operation === 'modifyResponse' &&
            answer.connection === connection &&
            answer.messageId === messageId &&
            answer.resultCode === 0,
        )
        .map(({ at }) => at),
    )
}
