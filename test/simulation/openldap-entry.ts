// An entry of the OpenLDAP server: the attributes that every model knows, and what only the password policy overlay keeps.
import {
  ELSEWHERE,
  type Entry,
  FINE_GRAINED_DN,
  type ModelAccount,
  PEOPLE,
  type Server,
} from './directory-model.ts'

/** An entry with what only OpenLDAP keeps. */
export interface OpenLdapEntry extends Entry {
  /** pwdFailureTime. */
  failures: number[]
  /** pwdReset. */
  mustReset: boolean
  /** The auxiliary class is there, without which no marker may be. */
  hasClass: boolean
}

/** The entry of an account on a server; undefined: none. */
export function openLdapEntry(server: Server, guid: string): OpenLdapEntry | undefined {
  const entry = server.entries.get(guid) as OpenLdapEntry | undefined
  return entry?.cells.deleted.value === false ? entry : undefined
}

/** Gives an attribute its value. */
export function setAttribute<Name extends keyof Entry['cells']>(
  entry: Entry,
  name: Name,
  value: Entry['cells'][Name]['value'],
): void {
  entry.cells = { ...entry.cells, [name]: { ...entry.cells[name], value } }
}

/** Keeps pwdFailureTime, and what is counted of it. */
export function keepFailures(entry: OpenLdapEntry, failures: number[]): void {
  entry.failures = failures
  entry.badPasswordCount = failures.length
  entry.badPasswordAt = failures.at(-1) ?? 0
}

/** What a new password does by itself: no lockout, no failures. */
export function unlock(entry: OpenLdapEntry): void {
  setAttribute(entry, 'lockedAt', 0)
  keepFailures(entry, [])
}

/** An account as it was loaded; `changedAt` 0: nobody knows when its password was set. */
export function makeEntry(
  { guid, policyDn, mayBeWritten }: ModelAccount,
  text: string,
  changedAt: number,
): OpenLdapEntry {
  const name = `user-${guid.slice(0, 8)}`
  const unit = mayBeWritten || policyDn === FINE_GRAINED_DN ? PEOPLE : ELSEWHERE
  const cell = <T>(value: T) => ({ value, version: 1, at: 0, origin: '' })
  return {
    guid,
    cells: {
      marker: cell<string | undefined>(undefined),
      password: cell({ text, earlier: [] }),
      lockedAt: cell(0),
      passwordSetAt: cell(Math.floor(changedAt / 1000) * 1000),
      dn: cell(`uid=${name},${unit}`),
      name: cell(name),
      adminCount: cell(false),
      disabled: cell(false),
      deleted: cell(false),
    },
    ...{ badPasswordCount: 0, badPasswordAt: 0, failures: [], mustReset: false, hasClass: false },
  }
}
