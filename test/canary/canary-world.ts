// The world that is searched: real servers with an observer at every exit, and passwords that no other run has.
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { oldPassword, servicePassword } from '../servers/canaries.ts'
import { replaceAttribute } from '../servers/directory-admin.ts'
import type { DirectoryKind } from '../servers/directory-kinds.ts'
import type { RecordedMessage } from '../servers/ldap-faults.ts'
import { createGroup } from '../servers/slapd-admin.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import { type Command, createCommands } from './commands.ts'
import { type HttpRecorder, startHttpRecorder } from './http-recorder.ts'
import { type JournalWatch, watchJournal } from './journal-watch.ts'
import { type ProcessWatch, watchProcesses } from './process-watch.ts'
import { type RedisContents, type RedisWatch, watchRedis } from './redis-watch.ts'
import type { Secret } from './search.ts'
import { PASSWORD_PLACES, type SecretKind } from './sinks.ts'

/** One LDAP message as it crossed the proxy, decrypted. */
export interface ClearMessage {
  /** How many passwords the message is to hold: a reset one, a change two. */
  readonly passwords: number
  readonly place: string
  readonly bytes: Buffer
}

/** A running world with its observers. */
export interface CanaryWorld {
  readonly world: World<DirectoryKind>
  readonly recorder: HttpRecorder
  readonly redis: RedisWatch
  readonly processes: ProcessWatch
  readonly journal: JournalWatch
  readonly commands: Command
  readonly messages: readonly ClearMessage[]
  /** What the observer of Redis read at several moments. */
  readonly redisContents: RedisContents[]
  readonly redisPid: () => number
  /** Answers of the operators’ socket. */
  readonly opsAnswers: string[]
  /** A password that this run alone has. */
  readonly fresh: (kind: SecretKind | 'planted', shape?: (text: string) => string) => Buffer
  readonly createUser: () => Promise<WorldUser & { readonly old: Buffer }>
  /** A user whom nobody may write. */
  readonly createGuarded: () => Promise<WorldUser>
  /** All that there is to look for, by now. */
  readonly secrets: () => readonly Secret[]
  readonly stop: () => Promise<void>
}

/** Starts the world. */
export async function startCanaryWorld(kind: DirectoryKind): Promise<CanaryWorld> {
  const messages: ClearMessage[] = []
  const taken: Secret[] = []
  const tag = randomBytes(3).toString('hex')
  let started: HttpRecorder | undefined
  const places = { cwd: '', tmp: '' }
  const policy = { minPasswordLength: 16, minPasswordAgeMs: 0, passwordHistoryLength: 24 }
  const world = await startWorld<DirectoryKind>({
    ...{ kind, domain: kind === 'openldap' ? { policy, scheme: '{ARGON2}' } : { policy } },
    errorsAside: true,
    beforeStore: async (storeUrl) => {
      started = await startHttpRecorder(storeUrl)
      return started.url
    },
    agentImports: [path.resolve(import.meta.dirname, '../test-build/leak-build.ts')],
    agentEnv: {
      get TMPDIR() {
        return places.tmp
      },
    },
    directorySettings: `    operationTimeoutSeconds: 4
    passwords: { blocklistFile: blocklist.txt, refuseNames: true }
    limits: { perAccountAndHour: 1000, perMinute: 100000, burst: 1000000 }${kind === 'openldap' ? `\n    protection: { groups: ["${GUARDED}"] }` : ''}`,
    watch: () => ({
      onPdu: (message, bytes) => {
        messages.push({ ...whatIs(message), bytes: Buffer.from(bytes) })
      },
    }),
    beforeAgent: async (directory, domain) => {
      if (domain.kind === 'openldap') await createGroup(await domain.admin(), 'Guarded', [domain.adminDn])
      for (const name of ['tmp', 'cwd'] as const) {
        places[name] = path.join(directory, name)
        mkdirSync(places[name])
      }
      process.chdir(places.cwd)
      writeFileSync(path.join(directory, 'blocklist.txt'), 'letmein\n')
    },
  })
  const recorder = started as HttpRecorder | undefined
  if (!recorder) throw new Error('the world has no recorder')
  const redis = watchRedis(path.join(world.agent.stateDirectory, 'redis', 'redis.sock'))
  const processes = watchProcesses(() => [world.agent.pid(), world.store.pid()])
  const journal = watchJournal(world.agent.stateDirectory)
  const commands = createCommands(world, recorder.url, processes)
  const fresh: CanaryWorld['fresh'] = (kind, shape = (text) => text) => {
    const bytes = Buffer.from(shape(`Canary-${taken.length + 100}!${tag}-qVx`))
    taken.push({ kind, bytes: Buffer.from(bytes) })
    return bytes
  }
  return {
    ...{
      world,
      recorder,
      redis,
      processes,
      journal,
      commands,
      messages,
      redisContents: [],
      opsAnswers: [],
      fresh,
    },
    redisPid: () => Number(readFileSync(path.join(world.agent.stateDirectory, 'redis', 'pid'), 'utf8')),
    createUser: async () => {
      const old = fresh('old password')
      return { ...(await world.createUser({ name: `person ${taken.length}`, password: old })), old }
    },
    createGuarded: async () => {
      const attributes = kind === 'active-directory' ? { attributes: { adminCount: '1' } } : {}
      const user = await world.createUser({ name: 'guarded', ...attributes })
      if (world.domain.kind === 'openldap')
        await replaceAttribute(await world.domain.admin(), GUARDED, 'member', [user.dn])
      return user
    },
    secrets: () => [...taken, ...keptSecrets(world), ...tokensOf(recorder)],
    stop: async () => {
      processes.stop()
      journal.stop()
      redis.stop()
      await world.stop()
      await recorder.stop()
    },
  }
}

// The group whose members nobody may write, in OpenLDAP.
const GUARDED = 'cn=Guarded,ou=Groups,dc=corp,dc=test'

/** How many passwords a message is to hold, and what it is called. */
function whatIs({ operation, direction, changes = [] }: RecordedMessage): Omit<ClearMessage, 'bytes'> {
  const written = changes.filter(({ attribute }) => PASSWORD_PLACES[attribute.toLowerCase()] !== undefined)
  const [first] = operation === 'modify' && direction === 'request' ? written : []
  const place = first && PASSWORD_PLACES[first.attribute.toLowerCase()]
  return { place: place ?? `${operation} ${direction}`, passwords: written.length }
}

/** The secrets that the programs keep in files, and those of the domain. */
function keptSecrets(world: World<DirectoryKind>): readonly Secret[] {
  const read = (...names: readonly string[]) =>
    readFileSync(path.join(world.directory, ...names), 'utf8').trim()
  const { keys } = JSON.parse(read('state', 'keys.json'))
  const scalars = [keys.identity, ...keys.sealing.map(({ key }: { key: unknown }) => key)]
  const kept = (kind: SecretKind, text: string): Secret => ({ kind, bytes: Buffer.from(text) })
  return [
    kept('old password', oldPassword().toString()),
    kept('bind password', servicePassword().toString()),
    kept('store token', read('store', 'admin-token')),
    kept('Redis password', read('state', 'redis', 'password')),
    ...[...scalars, JSON.parse(read('store', 'signing-key.json'))].flatMap(({ d }: { d: string }) => [
      kept('private key', d),
      { kind: 'private key', bytes: Buffer.from(d, 'base64url') },
    ]),
  ]
}

/** What makes a token of a call worth stealing: its signature. */
const tokensOf = (recorder: HttpRecorder): readonly Secret[] =>
  [...recorder.tokens()]
    .filter((token) => token.includes('.'))
    .map((token) => ({ kind: 'store token', bytes: Buffer.from(token.split('.').at(-1) ?? '') }))
