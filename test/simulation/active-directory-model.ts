// Active Directory as the facts describe it: two domain controllers that copy attributes to each other after a while, the
// newer version winning; a modify applied whole or not at all; passwords, history, age and lockout.
import type { Change } from '../../src/ldap-wire/encode-request.ts'
import {
  type Attributes,
  type Cell,
  type DirectoryModel,
  ELSEWHERE,
  type Entry,
  FINE_GRAINED_DN,
  MARKER_ATTRIBUTE,
  type ModelAccount,
  type ModelPolicy,
  type Modify,
  PEOPLE,
  type Result,
  type Server,
} from './directory-model.ts'
import type { Scheduler } from './scheduler.ts'

/** How one domain is. */
export interface DomainOptions {
  readonly scheduler: Scheduler
  readonly policy: ModelPolicy
  readonly finePolicy: ModelPolicy
  readonly accounts: readonly ModelAccount[]
  readonly firstPassword: (guid: string) => string
  /** The service account may write the marker. */
  readonly mayWriteMarker: boolean
  /** The longest time until another server knows. */
  readonly lagMs: () => number
}

const OK: Result = { code: 0, diagnostic: '' }
const refuse = (code: number, hex: string, text: string): Result => ({ code, diagnostic: `${hex}: ${text}` })
const NO_RIGHT = refuse(50, '00002098', 'Object has no write property access')

type Draft = { -readonly [K in keyof Attributes]?: Attributes[K] }

/** Makes the domain with its two controllers; the first is the PDC emulator. */
export function createActiveDirectory(options: DomainOptions): DirectoryModel {
  const { scheduler, accounts } = options
  const { chance } = scheduler
  const known = new Map(accounts.map((one) => [one.guid, one]))
  const servers: Server[] = [1, 2].map((number) => ({
    ...{ id: `0a0a0a0${number}-1111-4222-8333-444444444444`, url: `ldaps://dc${number}.corp.test` },
    ...{ owner: scheduler.makeOwner(`dc${number}`), entries: new Map(), aheadMs: chance.between(-900, 900) },
    ...{ isUp: true, writer: '0a0a0a01-1111-4222-8333-444444444444', refusal: undefined },
  }))
  let underWay = 0
  const nowMs = (server: Server) => scheduler.now() + server.aheadMs
  const secondsOf = (server: Server) => Math.floor(nowMs(server) / 1000) * 1000
  const policyOf = (guid: string) =>
    known.get(guid)?.policyDn === undefined ? options.policy : options.finePolicy
  for (const server of servers)
    for (const account of accounts) {
      const password = { text: options.firstPassword(account.guid), earlier: [] }
      server.entries.set(account.guid, entryOf(account, password, scheduler.now() - 40 * 86_400_000))
    }

  const isLocked = (server: Server, { guid, cells }: Entry) => {
    const { lockoutDurationMs } = policyOf(guid)
    const at = cells.lockedAt.value
    return at > 0 && nowMs(server) < at + lockoutDurationMs
  }
  const drawLag = () => chance.between(1, Math.max(2, options.lagMs()))
  const commit = (server: Server, entry: Entry, draft: Draft) => {
    let passwordLagMs: number | undefined
    for (const [name, value] of Object.entries(draft)) {
      const before = entry.cells[name as keyof Attributes]
      const cell = { value, version: before.version + 1, at: secondsOf(server), origin: server.id }
      setCell(entry, name, cell)
      for (const other of servers) {
        if (other === server) continue
        const lagMs = drawLag()
        if (name === 'password') passwordLagMs = lagMs
        // A password never arrives without its date; all else of one write may, which is worse than it can be.
        const ownLagMs = name === 'passwordSetAt' ? (passwordLagMs ?? lagMs) : lagMs
        replicate(other, entry.guid, name, cell, ownLagMs)
      }
    }
  }
  // A server that is down or cut off gets it when it is back.
  const replicate = (to: Server, guid: string, name: string, cell: Cell<unknown>, lagMs: number) => {
    underWay += 1
    const arrive = () => {
      if (!to.isUp || to.owner.isStopped) return void scheduler.after(scheduler.world, 1_000, arrive)
      underWay -= 1
      const entry = to.entries.get(guid)
      if (entry && isNewer(cell, entry.cells[name as keyof Attributes])) setCell(entry, name, cell)
    }
    scheduler.after(scheduler.world, lagMs, arrive)
  }
  const noteBadPassword = (server: Server, entry: Entry) => {
    const { lockoutThreshold, lockoutWindowMs } = policyOf(entry.guid)
    if (lockoutThreshold === 0) return
    const isOld = nowMs(server) > entry.badPasswordAt + lockoutWindowMs
    entry.badPasswordCount = (isOld ? 0 : entry.badPasswordCount) + 1
    entry.badPasswordAt = nowMs(server)
    if (entry.badPasswordCount >= lockoutThreshold) commit(server, entry, { lockedAt: nowMs(server) })
  }
  const apply = (server: Server, entry: Entry, { changes, controls }: Modify): Result => {
    const draft: Draft = {}
    const { cells } = entry
    if (cells.adminCount.value || !cells.dn.value.endsWith(PEOPLE)) return NO_RIGHT
    for (const change of changes) {
      const result = applyChange(server, entry, draft, change, changes, controls.length > 0)
      if (result.code !== 0) return result
    }
    if ('lockedAt' in draft) entry.badPasswordCount = 0
    commit(server, entry, draft)
    return OK
  }
  const applyChange = (
    server: Server,
    entry: Entry,
    draft: Draft,
    { operation, attribute, values }: Change,
    all: readonly Change[],
    isHinted: boolean,
  ): Result => {
    const value = values[0] === undefined ? '' : Buffer.from(values[0]).toString('utf8')
    switch (attribute) {
      case MARKER_ATTRIBUTE:
        if (!options.mayWriteMarker) return NO_RIGHT
        return moveMarker(entry, draft, operation, value)
      case 'lockoutTime':
        if (entry.cells.lockedAt.value !== 0) draft.lockedAt = 0
        entry.badPasswordCount = 0
        return OK
      case 'pwdLastSet':
        draft.passwordSetAt = 0
        return OK
      case 'unicodePwd': {
        const text = textOfPassword(values[0] ?? Buffer.alloc(0))
        if (operation === 'delete') return checkOld(server, entry, text)
        const result = checkNew(server, entry, text, operation === 'replace', isHinted)
        if (result.code !== 0) return result
        const { password } = entry.cells
        const remembered = policyOf(entry.guid).historyLength
        const earlier = [password.value.text, ...password.value.earlier].slice(0, Math.max(0, remembered))
        draft.password = { text, earlier }
        const isZeroed = all.some((one) => one.attribute === 'pwdLastSet')
        if (!isZeroed) draft.passwordSetAt = nowMs(server)
        return OK
      }
      default:
        return refuse(53, '00002035', `not an attribute of this model: ${attribute}`)
    }
  }
  const checkOld = (server: Server, entry: Entry, text: string): Result => {
    if (isLocked(server, entry)) return refuse(19, '00000775', 'account locked out')
    if (entry.cells.password.value.text === text) return OK
    noteBadPassword(server, entry)
    return refuse(19, '00000056', "The old password specified doesn't match!")
  }
  const checkNew = (
    server: Server,
    entry: Entry,
    text: string,
    isReset: boolean,
    isHinted: boolean,
  ): Result => {
    const { minimumLength, minimumAgeMs, historyLength } = policyOf(entry.guid)
    const { password, passwordSetAt } = entry.cells
    const used = [password.value.text, ...password.value.earlier].slice(0, historyLength)
    const isYoung = !isReset && passwordSetAt.value > 0 && nowMs(server) < passwordSetAt.value + minimumAgeMs
    const isUsed = (!isReset || isHinted) && used.includes(text)
    return text.length < minimumLength || isYoung || isUsed
      ? refuse(
          isReset ? 53 : 19,
          '0000052D',
          'SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0',
        )
      : OK
  }
  return {
    ...{ dialect: 'active-directory', servers, accounts, policyOf, nowMs, isLocked },
    isReplicating: () => underWay > 0,
    modify: (server, modify) => {
      if (server.refusal) return server.refusal
      const entry = server.entries.get(modify.guid)
      if (!entry || entry.cells.deleted.value) return refuse(32, '00002030', 'No such Base DN')
      return apply(server, entry, modify)
    },
    doForeign: (server, guid, deed) => {
      const entry = server.entries.get(guid)
      if (!entry || entry.cells.deleted.value || !server.isUp) return false
      const { password } = entry.cells
      switch (deed.what) {
        case 'password': {
          const earlier = [password.value.text, ...password.value.earlier].slice(0, 24)
          commit(server, entry, { password: { text: deed.text, earlier }, passwordSetAt: nowMs(server) })
          return true
        }
        case 'marker':
          commit(server, entry, { marker: deed.text })
          return true
        case 'locked':
          if (policyOf(guid).lockoutThreshold === 0) return false
          entry.badPasswordCount = policyOf(guid).lockoutThreshold
          entry.badPasswordAt = nowMs(server)
          commit(server, entry, { lockedAt: nowMs(server) })
          return true
        case 'bad_password':
          noteBadPassword(server, entry)
          return true
        case 'excluded':
          commit(server, entry, { adminCount: true })
          return true
        case 'deleted':
          commit(server, entry, { deleted: true })
          return true
        case 'renamed':
          commit(server, entry, { name: deed.name, dn: `CN=${deed.name},${PEOPLE}` })
          return true
        case 'moved':
          commit(server, entry, { dn: `CN=${deed.name},${ELSEWHERE}` })
          return true
        case 'recreated':
          return recreate(server, entry)
      }
    },
  }

  /** Deletes the account, and makes another one with the same name. */
  function recreate(server: Server, entry: Entry): boolean {
    commit(server, entry, { deleted: true })
    const account: ModelAccount = { guid: strangerOf(entry.guid), policyDn: undefined, mayBeWritten: false }
    known.set(account.guid, account)
    for (const one of servers) {
      const made = entryOf(account, { text: `recreated ${entry.guid}`, earlier: [] }, scheduler.now())
      setCell(made, 'name', { ...made.cells.name, value: entry.cells.name.value })
      setCell(made, 'dn', { ...made.cells.dn, value: entry.cells.dn.value })
      one.entries.set(account.guid, made)
    }
    return true
  }
}

/** The objectGUID of the account that is made in the place of a deleted one. */
export const strangerOf = (guid: string): string => `${guid.slice(0, -4)}ffff`

// Read out of the quoted UTF-16 that the wire carries.
const textOfPassword = (value: Uint8Array): string => Buffer.from(value).toString('utf16le').slice(1, -1)

function moveMarker(entry: Entry, draft: Draft, operation: Change['operation'], value: string): Result {
  const present = 'marker' in draft ? draft.marker : entry.cells.marker.value
  if (operation === 'replace') draft.marker = value
  if (operation === 'delete') {
    if (present?.toLowerCase() !== value.toLowerCase())
      return refuse(16, '00002085', 'no such attribute value')
    draft.marker = undefined
  }
  if (operation === 'add') {
    if (present !== undefined) return refuse(20, '0000200D', 'attribute exists already')
    draft.marker = value
  }
  return OK
}

function isNewer(cell: Cell<unknown>, than: Cell<unknown>): boolean {
  if (cell.version !== than.version) return cell.version > than.version
  if (cell.at !== than.at) return cell.at > than.at
  return cell.origin > than.origin
}

function setCell(entry: Entry, name: string, cell: Cell<unknown>): void {
  entry.cells = { ...entry.cells, [name]: cell }
}

function entryOf(
  { guid, policyDn, mayBeWritten }: ModelAccount,
  password: Attributes['password'],
  at: number,
): Entry {
  const name = `user ${guid.slice(0, 8)}`
  const cell = <T>(value: T): Cell<T> => ({ value, version: 1, at: Math.floor(at / 1000) * 1000, origin: '' })
  const isStrict = policyDn === FINE_GRAINED_DN
  return {
    guid,
    cells: {
      marker: cell<string | undefined>(undefined),
      password: cell(password),
      lockedAt: cell(0),
      passwordSetAt: cell(at),
      dn: cell(`CN=${name},${mayBeWritten || isStrict ? PEOPLE : ELSEWHERE}`),
      name: cell(name),
      adminCount: cell(false),
      disabled: cell(false),
      deleted: cell(false),
    },
    badPasswordCount: 0,
    badPasswordAt: 0,
  }
}
