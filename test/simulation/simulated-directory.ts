// A configured directory as one process of an agent sees it: finds the writer, keeps a session with it, finds it again. The
// session sends the product's own changes over a simulated link and reads entries with the product's own readers.
import type { Entry as LdapEntry } from 'ldapts'
import type { AccountRules } from '../../src/agent/decisions/account-rules.ts'
import type { ClearBytes } from '../../src/agent/decisions/clear-bytes.ts'
import { needsClock } from '../../src/agent/decisions/judge-lockout.ts'
import type { WriteAnswer } from '../../src/agent/decisions/write-answer.ts'
import { subjectRead } from '../../src/agent/directory/active-directory/find-subject.ts'
import {
  dnOfGuid,
  type EncodedEffect,
  policyHintsControl,
  writeChanges,
} from '../../src/agent/directory/active-directory/password-modify.ts'
import { createPolicyReader } from '../../src/agent/directory/active-directory/policy-reader.ts'
import { unicodePassword } from '../../src/agent/directory/active-directory/unicode-password.ts'
import { classifyRefusal, ofChange } from '../../src/agent/directory/classify-error.ts'
import type { Directory, Effect, Fence, Write, WriterSession } from '../../src/agent/directory/directory.ts'
import { createDirectoryTime, type DirectoryTime } from '../../src/agent/directory/directory-time.ts'
import { fenceChanges } from '../../src/agent/directory/marker-move.ts'
import type { ReadClient } from '../../src/agent/directory/read-client.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { RemoteReading } from '../../src/clock/remote-time.ts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import type { Change, RequestControl } from '../../src/ldap-wire/encode-request.ts'
import { ldapDomainOf, ldapEntryOf, ldapFinePolicyOf, MARKER_ID } from './directory-entry.ts'
import type { Link } from './directory-link.ts'
import {
  type DirectoryModel,
  DOMAIN_DN,
  FINE_GRAINED_DN,
  MARKER_ATTRIBUTE,
  type ModelPolicy,
  PEOPLE,
  type Result,
  type Server,
} from './directory-model.ts'

/** The door of a directory server: everything that passes is written down there. */
export interface Door {
  readonly bound: (server: Server, agent: string, who: 'service' | 'user', isAccepted: boolean) => void
  readonly read: (server: Server, agent: string, guid: string) => void
  readonly modified: (
    server: Server,
    modify: {
      readonly agent: string
      readonly sentAt: number
      readonly guid: string
      readonly changes: readonly Change[]
      readonly controls: readonly RequestControl[]
    },
  ) => Result
}

/** What one process needs to reach the directory. */
export interface SimulatedDirectoryOptions {
  readonly name: string
  readonly agent: string
  readonly model: DirectoryModel
  readonly link: Link
  readonly door: Door
  readonly clock: Clock
  readonly nowMs: () => number
  /** True when the controllers offer the policy hints control. */
  readonly offersHints: boolean
  readonly showsMetadata: boolean
  readonly policies: { readonly domain: ModelPolicy; readonly fine: ModelPolicy }
  /** Opens a session of another dialect than Active Directory. */
  readonly openSession?: OpenSession
}

/** The server's clock, and how to ask for it anew; that throws what a read throws. */
export interface AskableTime extends DirectoryTime {
  readonly ask: () => Promise<void>
}

/** Makes a session with a server; `onLoss`: its connection is gone. */
export type OpenSession = (
  options: SimulatedDirectoryOptions,
  server: Server,
  time: AskableTime,
  onLoss: () => void,
) => SimulatedSession

/** Beyond the contract, what a careless agent would use. */
export interface SimulatedSession extends WriterSession {
  readonly bind: (objectGuid: string, password: Uint8Array) => Promise<boolean>
}

interface Kept {
  readonly session: SimulatedSession
  readonly server: Server
  readonly time: DirectoryTime
  isSound: boolean
}

/** The scope of every run. */
export const RULES: AccountRules = {
  units: [PEOPLE],
  groups: [],
  protectedGroups: [],
  serviceAccount: '0c0c0c0c-1111-4222-8333-444444444444',
}

/** Makes the directory of one process. */
export function createSimulatedDirectory(options: SimulatedDirectoryOptions): Directory {
  const { model, link, clock } = options
  let kept: Kept | undefined
  let connecting: Promise<Kept> | undefined
  let lastError: WritebackError | undefined
  const ask = async (server: Server): Promise<{ isWriter: boolean; reading: RemoteReading }> => {
    const sentMs = clock.monotonicMs()
    const answer = await link.exchange(
      server,
      () => ({
        isWriter: server.writer === server.id,
        timeMs: Math.floor(model.nowMs(server) / 1000) * 1000,
      }),
      false,
    )
    if (answer.kind === 'lost') throw answer.cause
    const { isWriter, timeMs } = answer.value
    return { isWriter, reading: { sentMs, answeredMs: clock.monotonicMs(), timeMs, resolutionMs: 1_000 } }
  }
  const open = async (server: Server): Promise<Kept> => {
    await link.connect(server)
    options.door.bound(server, options.agent, 'service', true)
    const { isWriter, reading } = await ask(server)
    if (!isWriter)
      throw new WritebackError('ERR_DIRECTORY_UNSUITABLE', `${server.url}: not the writer`, {
        retry: 'later',
      })
    const known = createDirectoryTime(clock, reading)
    const time = { ...known, ask: async () => known.asked((await ask(server)).reading) }
    const made: Kept = {
      time,
      session: (options.openSession ?? createSession)(options, server, time, () => {
        made.isSound = false
      }),
      ...{ server, isSound: true },
    }
    return made
  }
  const connect = async (): Promise<Kept> => {
    const last = kept?.server
    const order = [...model.servers].sort((a, b) => Number(b === last) - Number(a === last))
    let failure: unknown
    for (const server of order) {
      try {
        kept = await open(server)
        lastError = undefined
        return kept
      } catch (error) {
        failure ??= error
      }
    }
    lastError = failure as WritebackError
    throw failure
  }
  const refresh = async (one: Kept) => {
    if (!one.time.isOld()) return
    try {
      const { isWriter, reading } = await ask(one.server)
      one.time.asked(reading)
      if (!isWriter) one.isSound = false
    } catch {
      one.isSound = false
    }
  }
  return {
    name: options.name,
    writer: async () => {
      const one = kept
      if (one?.isSound) await refresh(one)
      if (one?.isSound) return one.session
      connecting ??= connect().finally(() => {
        connecting = undefined
      })
      return (await connecting).session
    },
    status: () => ({
      connected: kept?.isSound ?? false,
      ...(kept ? { server: kept.server.id, url: kept.server.url } : {}),
      ...(lastError ? { lastError } : {}),
    }),
    stop: async () => {},
  }
}

function createSession(
  options: SimulatedDirectoryOptions,
  server: Server,
  time: AskableTime,
  onLoss: () => void,
): SimulatedSession {
  const { link, door, agent } = options
  const client = createReader(options, server, onLoss)
  const place = {
    ...{ domainDn: DOMAIN_DN, attribute: 'objectGUID' as const },
    ...{ markerAttribute: MARKER_ATTRIBUTE, markerId: MARKER_ID },
  }
  const control = options.offersHints ? policyHintsControl(new Set(['1.2.840.113556.1.4.2239'])) : undefined
  const modify = async (request: {
    readonly guid: string
    readonly changes: readonly Change[]
    readonly controls: readonly RequestControl[]
    readonly mayStart?: () => boolean
  }): Promise<WriteAnswer> => {
    try {
      await link.connect(server)
    } catch (cause) {
      onLoss()
      return { kind: 'not_sent', cause }
    }
    if (request.mayStart?.() === false) return { kind: 'not_sent', cause: new Error('withheld') }
    const { guid, controls } = request
    // The frame leaves as it is now: what is wiped afterwards is only the caller's copy.
    const changes = request.changes.map((change) => ({
      ...change,
      values: change.values.map((v) => Buffer.from(v)),
    }))
    const sentAt = options.nowMs()
    const answer = await link.exchange(
      server,
      () => door.modified(server, { agent, sentAt, guid, changes, controls }),
      true,
    )
    if (answer.kind === 'lost') {
      onLoss()
      return answer
    }
    if (answer.value.code === 0) return { kind: 'accepted' }
    return { kind: 'refused', refusal: classifyRefusal(answer.value) }
  }
  const move = ({ markerBefore: before, markerAfter: after }: Fence) => ({
    ...{ attribute: MARKER_ATTRIBUTE, before, after },
  })
  return {
    ...{
      server: server.id,
      url: server.url,
      rules: RULES,
      directoryNowMs: time.nowMs,
      directoryDoubtMs: time.doubtMs,
    },
    history: control === undefined ? 'not_enforced' : 'enforced',
    findNoteworthy: async () => [],
    readAccount: async (subject, operation) => {
      const account = await subjectRead(subject, operation, place)(client)
      if (typeof account === 'object' && needsClock(operation, account.badPasswordCount)) await time.ask()
      return account
    },
    ...createPolicyReader({
      domainDn: DOMAIN_DN,
      refusesNames: false,
      use: (read) => read(client),
      clock: options.clock,
    }),
    fence: (fence) => modify({ guid: guidOf(fence), changes: fenceChanges(move(fence)), controls: [] }),
    write: async (write: Write) => {
      const { mayStart, effect } = write
      const controls = effect.kind === 'reset' && control !== undefined ? [control] : []
      const answer = await withEncoded(effect, (encoded) =>
        modify({ guid: guidOf(write), changes: writeChanges(move(write), encoded), controls, mayStart }),
      )
      const isChange = effect.kind === 'change' && answer.kind === 'refused'
      return isChange ? { ...answer, refusal: ofChange(answer.refusal) } : answer
    },
    bind: async (guid, password) => {
      const text = Buffer.from(password).toString('utf8')
      const answer = await link.exchange(server, () => bindAs(options, server, guid, text), false)
      return answer.kind === 'answered' && answer.value
    },
  }
}

// The former password still binds after a reset (F6).
function bindAs(
  { door, agent }: SimulatedDirectoryOptions,
  server: Server,
  guid: string,
  text: string,
): boolean {
  const password = server.entries.get(guid)?.cells.password.value
  const isAccepted = password?.text === text || password?.earlier[0] === text
  door.bound(server, agent, 'user', isAccepted)
  return isAccepted
}

function guidOf({ objectGuid }: Fence): string {
  // Throws for what is no GUID, as the product's own session does.
  return dnOfGuid(objectGuid).slice('<GUID='.length, -1)
}

function createReader(options: SimulatedDirectoryOptions, server: Server, onLoss: () => void): ReadClient {
  const { link, model, policies, showsMetadata, door, agent } = options
  const find = (base: string, filter: unknown): LdapEntry[] => {
    if (base === DOMAIN_DN && filter === undefined) return [ldapDomainOf(policies.domain)]
    if (base === FINE_GRAINED_DN) return [ldapFinePolicyOf(policies.fine)]
    const found = [...server.entries.values()].filter(({ guid, cells }) => {
      if (cells.deleted.value) return false
      return filter === undefined ? base === `<GUID=${guid}>` : isNamed(cells.name.value, filter)
    })
    for (const { guid } of found) door.read(server, agent, guid)
    return found.map((entry) => ldapEntryOf(model, server, entry, showsMetadata))
  }
  return {
    isOpen: () => true,
    bindControls: new Set(),
    close: () => {},
    closed: new Promise(() => {}),
    search: async (base, { filter }) => {
      const answer = await link.exchange(server, () => find(base, filter), false)
      if (answer.kind === 'answered') return answer.value
      onLoss()
      throw answer.cause
    },
  }
}

const isNamed = (name: string, filter: unknown): boolean =>
  String((filter as { readonly value?: unknown }).value).toLowerCase() === name.toLowerCase()

/** Hands on the effect with its passwords encoded, and wipes those, as the product's session does. */
async function withEncoded<T>(effect: Effect, use: (encoded: EncodedEffect) => Promise<T>): Promise<T> {
  const encoded: Buffer[] = []
  const encode = (password: ClearBytes) => {
    const bytes = unicodePassword(password)
    encoded.push(bytes)
    return bytes
  }
  try {
    if (effect.kind === 'reset') return await use({ ...effect, unicodePwd: encode(effect.password) })
    if (effect.kind === 'unlock') return await use(effect)
    const { kind, oldPassword, newPassword } = effect
    return await use({ kind, oldUnicodePwd: encode(oldPassword), newUnicodePwd: encode(newPassword) })
  } finally {
    for (const bytes of encoded) bytes.fill(0)
  }
}
