// What the corpus in OpenLDAP is made with: its places and groups, and the tools of its rows.
import { Attribute, Change, type Entry } from 'ldapts'
import { newPassword, oldPassword, servicePassword } from '../servers/canaries.ts'
import { escapeRdn, ldapClient, replaceAttribute } from '../servers/directory-admin.ts'
import { createGroup, readEntryUuid, setUserPassword } from '../servers/slapd-admin.ts'
import type { SlapdServer } from '../servers/slapd-server.ts'
import type { CorpusState, CorpusTools } from './corpus.ts'

/** Where the entries are; `STAFF` is a unit of the scope. */
export const BASE = 'dc=corp,dc=test'
export const PEOPLE = `ou=People,${BASE}`
const GROUPS = `ou=Groups,${BASE}`
export const STAFF = `ou=Staff,${PEOPLE}`

/** DN of a group. */
export const group = (name: string) => `cn=${escapeRdn(name)},${GROUPS}`
/** Groups that protect, of names, of POSIX and of unique names, and the one that the scope asks for. */
export const EXECUTIVES = group('Executives')
export const GUARDS = group('Guards')
export const UNIQUE = group('Unique')
export const SCOPE = group('Writeback Users')

/** Attributes of an entry. */
export type Values = Readonly<Record<string, string | readonly string[]>>

/** The directory as rows need it. */
export interface Entries extends CorpusTools {
  readonly server: SlapdServer
  /** Adds an entry; gives the DN. */
  readonly add: (dn: string, values: Values) => Promise<string>
  /** A person with the usual old password; `below` by default a unit of the scope. */
  readonly person: (
    name: string,
    wish?: { readonly below?: string; readonly values?: Values },
  ) => Promise<string>
  /** A group of names with these members; gives the DN. */
  readonly group: (name: string, members: readonly string[]) => Promise<string>
}

/** Makes the tools of a server. */
export function createEntries(server: SlapdServer): Entries {
  const change = async (operation: 'add' | 'delete', dn: string, member: string) => {
    const modification = new Attribute({ type: 'member', values: [member] })
    await (await server.admin()).modify(dn, new Change({ operation, modification }))
  }
  const add: Entries['add'] = async (dn, values) => {
    await (await server.admin()).add(dn, { ...values } as Record<string, string>)
    return dn
  }
  const person: Entries['person'] = async (name, { below = STAFF, values = {} } = {}) => {
    const { objectClass = 'inetOrgPerson' } = values
    const named = objectClass.includes('inetOrgPerson') ? { sn: name } : {}
    const dn = `uid=${escapeRdn(name)},${below}`
    await add(dn, { objectClass, uid: name, cn: name, ...named, ...values })
    await setUserPassword(await server.admin(), dn, oldPassword())
    return dn
  }
  return {
    ...{ server, add, person },
    user: person,
    group: async (name, members) => createGroup(await server.admin(), name, members),
    addMember: (dn, member) => change('add', dn, member),
    removeMember: (dn, member) => change('delete', dn, member),
    groups: { scope: SCOPE, mighty: EXECUTIVES, executives: EXECUTIVES },
    readAnchor: async (dn) => readEntryUuid(await server.admin(), dn),
    rename: async (dn, to) => (await server.admin()).modifyDN(dn, to),
    stateOf: (anchor) => stateOf(server, anchor),
    refusedOf: async (rows) => {
      const client = await ldapClient(server.url)
      await client.bind(server.serviceAccountName, servicePassword().toString())
      const refused: string[] = []
      for (const { name, anchor } of rows) {
        const dn = (await find(server, anchor, ['entryUUID']))?.dn
        const write = async () =>
          dn !== undefined && replaceAttribute(client, dn, 'userPassword', [newPassword()])
        if ((await write().catch(() => false)) === false) refused.push(name)
      }
      await client.unbind()
      return refused
    },
  }
}

async function find(server: SlapdServer, anchor: string, attributes: string[]): Promise<Entry | undefined> {
  const filter = `(entryUUID=${anchor})`
  const { searchEntries } = await (await server.admin()).search(BASE, { scope: 'sub', filter, attributes })
  return searchEntries[0]
}

async function stateOf(server: SlapdServer, anchor: string): Promise<CorpusState | undefined> {
  const values = await find(server, anchor, ['entryCSN', 'pwdChangedTime', 'writebackMarker', 'userPassword'])
  if (values === undefined) return undefined
  const { dn, writebackMarker: marker, userPassword } = values
  const isBound = dn !== server.serviceAccountDn && String(userPassword ?? '') !== ''
  return {
    values,
    marker: typeof marker === 'string' ? marker : undefined,
    principal: isBound ? dn : undefined,
  }
}
