// A session with the writer domain controller: pools of connections to that one server, and what they are asked.
import type { Clock } from '../../../clock/clock.ts'
import type { AccountRules } from '../../decisions/account-rules.ts'
import type { ClearBytes } from '../../decisions/clear-bytes.ts'
import { needsClock } from '../../decisions/judge-lockout.ts'
import type { WriteAnswer } from '../../decisions/write-answer.ts'
import type { ConnectionSettings } from '../bound-channel.ts'
import { ofChange } from '../classify-error.ts'
import type { Effect, Fence, Write, WriterSession } from '../directory.ts'
import { createDirectoryTime } from '../directory-time.ts'
import { fenceChanges } from '../marker-move.ts'
import { maximumAges } from '../maximum-ages.ts'
import type { OwnedSession } from '../owned-session.ts'
import { openReadClient, type ReadClient } from '../read-client.ts'
import { createServerPools, type ServerPools } from '../server-pools.ts'
import { unsuitable } from '../unsuitable.ts'
import { openWriteConnection } from '../write-connection.ts'
import { serverNamed } from './expected-server.ts'
import { findNoteworthy } from './find-noteworthy.ts'
import { type AnchorAttribute, subjectRead } from './find-subject.ts'
import { type FoundWriter, holdsWriterRole } from './find-writer.ts'
import { checkMarkerAttribute } from './marker-attribute.ts'
import { type GrantFor, markerGrant } from './marker-grant.ts'
import { dnOfGuid, type EncodedEffect, policyHintsControl, writeChanges } from './password-modify.ts'
import { createPolicyReader, type PolicyReaderOptions } from './policy-reader.ts'
import { type ConfiguredRules, type ResolvedRules, resolveRules } from './resolve-rules.ts'
import { type RootDse, readRootDse } from './root-dse.ts'
import { readServiceAccount } from './service-account.ts'
import { unicodePassword } from './unicode-password.ts'

/** What a session is made of. */
export interface SessionOptions {
  readonly found: FoundWriter
  readonly settings: ConnectionSettings
  readonly rules: ConfiguredRules
  readonly markerAttribute: string
  readonly anchor: AnchorAttribute
  /** Default: required, but not of Samba. */
  readonly history?: 'required' | 'preferred'
  readonly connections: number
  readonly clock: Clock
  /** True when the session ends with the PDC emulator role. */
  readonly followsRole: boolean
}

/** Opens a session on a found writer. Throws what its reads throw; the found connection is closed then. */
export async function openWriterSession(options: SessionOptions): Promise<OwnedSession> {
  const { found, clock } = options
  const introduction = await introduce(options)
  let { rules } = introduction
  let sound = true
  const pools = createPools(options, () => {
    sound = false
  })
  const time = createDirectoryTime(clock, found.root.currentTime)
  const refresh = async () => {
    if (!time.isOld()) return
    try {
      const again = await pools.readers.use((client) => readAgain(client, options))
      time.asked(again.root.currentTime)
      rules = { ...rules, ...again.rules }
    } catch {
      sound = false
    }
  }
  const reader: PolicyReaderOptions = {
    domainDn: found.root.defaultNamingContext,
    refusesNames: !found.root.isSamba,
    use: (read) => pools.readers.use(read),
    clock,
  }
  // Read by one of its own: what the gate learns must not stay as the session's policy for a minute.
  await learnLockout(options, createPolicyReader(reader), introduction.policyDn)
  const policies = createPolicyReader(reader)
  return {
    server: found.server,
    url: found.endpoint.url,
    get rules() {
      return rules
    },
    directoryNowMs: time.nowMs,
    directoryDoubtMs: time.doubtMs,
    clockOffsetMs: () => time.nowMs() - clock.wallMs(),
    isSound: () => sound,
    refresh,
    retire: pools.retire,
    stop: pools.stop,
    ...policies,
    findNoteworthy: async (wish) => {
      const place = { units: rules.units, anchor: options.anchor, maximumAgesMs: await maximumAges(policies) }
      return pools.readers.use((client) => findNoteworthy(client, wish, place))
    },
    ...accountCalls(options, pools, introduction, async () => {
      const root = await pools.readers.use((client) => readRootDse(client, found.endpoint.url, clock))
      time.asked(root.currentTime)
    }),
  }
}

function createPools(
  { found, settings, clock, connections: size }: SessionOptions,
  onDeath: () => void,
): ServerPools {
  const { endpoint, root, client } = found
  return createServerPools({
    ...{ size, onDeath, first: client },
    openReader: () => openReader(found, settings, clock),
    openWriter: () => openWriteConnection(endpoint, settings, serverNamed(root.serviceName)),
  })
}

type AccountCalls = Pick<WriterSession, 'history' | 'readAccount' | 'write' | 'fence'>

function accountCalls(
  options: SessionOptions,
  { readers, modify }: ServerPools,
  { grantFor, markerId }: Introduction,
  askTime: () => Promise<void>,
): AccountCalls {
  const { found, markerAttribute } = options
  const control = policyHintsControl(found.root.supportedControls)
  const place = {
    domainDn: found.root.defaultNamingContext,
    attribute: options.anchor,
    markerAttribute,
    markerId,
  }
  const marker = ({ markerBefore: before, markerAfter: after }: Fence) => ({
    attribute: markerAttribute,
    before,
    after,
  })
  return {
    history: control === undefined ? historyWithoutControl(options) : 'enforced',
    // The subject is checked before a connection is asked for: what is no GUID causes no byte on the wire.
    readAccount: async (subject, operation, { markerRight = false } = {}) => {
      const read = subjectRead(subject, operation, markerRight ? { ...place, grantFor } : place)
      const account = await readers.use(read)
      if (typeof account === 'object' && needsClock(operation, account.badPasswordCount)) await askTime()
      return account
    },
    fence: async (fence) => {
      const { mayStart } = fence
      return modify({
        dn: dnOfGuid(fence.objectGuid),
        changes: fenceChanges(marker(fence)),
        controls: [],
        mayStart,
      })
    },
    write: async (write: Write) => {
      const dn = dnOfGuid(write.objectGuid)
      const { mayStart } = write
      // A change is held to history by the directory without being asked.
      const controls = write.effect.kind === 'reset' && control !== undefined ? [control] : []
      const answer = await withEncoded(write.effect, (effect) =>
        modify({
          dn,
          changes: writeChanges(write.withoutMarker ? undefined : marker(write), effect),
          controls,
          mayStart,
        }),
      )
      return write.effect.kind === 'change' ? readAsChange(answer) : answer
    },
  }
}

// Windows has the control since 2008 R2 with an update: one that lacks it is a fault to be told. Samba has none.
function historyWithoutControl({ found, history }: SessionOptions): WriterSession['history'] {
  const wish = history ?? (found.root.isSamba ? 'preferred' : 'required')
  return wish === 'required' ? 'not_enforceable' : 'not_enforced'
}

const readAsChange = (answer: WriteAnswer): WriteAnswer =>
  answer.kind === 'refused' ? { ...answer, refusal: ofChange(answer.refusal) } : answer

/** Hands on the effect with its passwords encoded, and wipes those. */
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

async function readAgain(
  client: ReadClient,
  { found, followsRole, rules, clock }: SessionOptions,
): Promise<{ root: RootDse; rules: ResolvedRules }> {
  const root = await readRootDse(client, found.endpoint.url, clock)
  if (followsRole && !(await holdsWriterRole(client, root))) {
    throw unsuitable(found.endpoint.url, 'it is no longer the PDC emulator')
  }
  return { root, rules: await resolveRules(client, found.endpoint.url, rules) }
}

interface Introduction {
  readonly rules: AccountRules
  readonly grantFor: GrantFor
  /** By which the replication metadata knows the marker attribute. */
  readonly markerId: number | undefined
  /** Of the service account. */
  readonly policyDn: string | undefined
}

// The gate then knows how many refused binds the service account can stand. Unread, it goes on being cautious.
async function learnLockout(
  { settings: { gate } }: SessionOptions,
  { readPolicy }: Pick<WriterSession, 'readPolicy'>,
  policyDn: string | undefined,
): Promise<void> {
  const reading = await readPolicy({ policyDn }).catch(() => undefined)
  if (reading?.kind !== 'read') return
  const { lockoutThreshold: threshold, lockoutWindowMs: windowMs } = reading.policy
  gate.learn({ threshold, windowMs })
}

// What must be known before the first write, read on the connection that found the writer.
async function introduce(options: SessionOptions): Promise<Introduction> {
  const { found, markerAttribute, rules, settings } = options
  const { client, endpoint, root } = found
  try {
    const { schemaGuid, id: markerId } = await checkMarkerAttribute(
      client,
      endpoint.url,
      root,
      markerAttribute,
    )
    const { objectGuid: serviceAccount, sid, policyDn } = await readServiceAccount(client, endpoint.url)
    const asked = { attribute: markerAttribute, schemaGuid, account: settings.bindName, sid }
    return {
      rules: { ...(await resolveRules(client, endpoint.url, rules)), serviceAccount },
      grantFor: (parentDn) => markerGrant(parentDn, asked),
      markerId,
      policyDn,
    }
  } catch (error) {
    client.close()
    throw error
  }
}

async function openReader(
  found: FoundWriter,
  settings: ConnectionSettings,
  clock: Clock,
): Promise<ReadClient> {
  const client = await openReadClient(found.endpoint, settings)
  try {
    const { serviceName } = await readRootDse(client, found.endpoint.url, clock)
    if (serviceName.toLowerCase() === found.root.serviceName.toLowerCase()) return client
    throw unsuitable(found.endpoint.url, `another server answers now: ${serviceName}`)
  } catch (error) {
    client.close()
    throw error
  }
}
