// The domain of the corpus: its units and groups, and what its rows are made with.
import { Attribute, Change } from 'ldapts'
import { PROTECTED_GROUPS } from '../../src/agent/decisions/judge-protection.ts'
import { sidText } from '../../src/agent/directory/active-directory/sid.ts'
import { oldPassword } from '../servers/canaries.ts'
import { escapeRdn, readEntry, replaceAttribute, unicodePwd } from '../servers/directory-admin.ts'
import type { SambaDomain } from '../servers/samba-domain.ts'
import type { DomainEdit } from '../servers/samba-template.ts'

/** How a user of the corpus differs from the usual one. */
export interface CorpusUser {
  /** RDNs below the base DN. Default `OU=People`. */
  readonly place?: string
  readonly attributes?: Readonly<Record<string, string>>
}

/** The domain as rows need it. */
export interface CorpusDomain {
  readonly domain: SambaDomain
  readonly domainSid: string
  /** DNs of the group that the scope asks for, and of the group that is configured as protected. */
  readonly names: { readonly scope: string; readonly executives: string }
  readonly sids: { readonly executives: string }
  /** Each gives the DN. */
  readonly user: (name: string, user?: CorpusUser) => Promise<string>
  readonly group: (
    name: string,
    members: readonly string[],
    groupType?: string,
    place?: string,
  ) => Promise<string>
  readonly add: (dn: string, attributes: Readonly<Record<string, string>>) => Promise<string>
  readonly addMember: (group: string, member: string) => Promise<void>
  readonly removeMember: (group: string, member: string) => Promise<void>
  /** Adds to the group of the scope; gives the DN back. */
  readonly member: (dn: string) => Promise<string>
  readonly makePrimary: (user: string, group: string) => Promise<void>
  /** DN of a group by its name. */
  readonly groupDn: (name: string) => string
  readonly later: (edit: DomainEdit) => void
  /** The edits asked for so far. */
  readonly edits: () => readonly DomainEdit[]
}

const UNITS = [
  ...['OU=NotPeople', 'OU=x\\,OU\\=People', 'OU=People2', 'OU=Plants', 'OU=North,OU=Plants'],
  ...['OU=Team,OU=People', 'OU=Sales\\, East', 'OU=Zürich \\"Nord\\" \\+ 東京'],
]

/** Makes units, groups, and the protected groups that this domain lacks. */
export async function layOutCorpus(domain: SambaDomain): Promise<CorpusDomain> {
  const admin = await domain.admin()
  const { baseDn } = domain
  for (const unit of UNITS) await admin.add(`${unit},${baseDn}`, { objectClass: 'organizationalUnit' })
  const tools = createTools(domain)
  const names = {
    scope: await tools.group('Writeback Users', []),
    executives: await tools.group('Executives', []),
  }
  const domainSid = await readSid(domain, baseDn)
  await domain.edit(...(await missingGroups(domain, domainSid)))
  const groups = await groupDns(domain)
  const edits: DomainEdit[] = []
  return {
    ...tools,
    ...{ domain, domainSid, names },
    sids: { executives: await readSid(domain, names.executives) },
    member: async (dn) => {
      await tools.addMember(names.scope, dn)
      return dn
    },
    makePrimary: async (user, group) => {
      const rid = (await readSid(domain, group)).split('-').at(-1) ?? ''
      await replaceAttribute(admin, user, 'primaryGroupID', [rid])
    },
    groupDn: (name) => {
      const dn = groups.get(name)
      if (dn === undefined) throw new Error(`the domain has no group ${name}`)
      return dn
    },
    later: (edit) => void edits.push(edit),
    edits: () => edits,
  }
}

let accounts = 0

function createTools(domain: SambaDomain) {
  const add: CorpusDomain['add'] = async (dn, attributes) => {
    await (await domain.admin()).add(dn, { ...attributes })
    return dn
  }
  const change = async (operation: 'add' | 'delete', group: string, member: string) => {
    const modification = new Attribute({ type: 'member', values: [member] })
    await (await domain.admin()).modify(group, new Change({ operation, modification }))
  }
  return {
    add,
    user: (name: string, { place = 'OU=People', attributes }: CorpusUser = {}) => {
      accounts += 1
      const account = `corpus${accounts}`
      const above = place === '' ? domain.baseDn : `${place},${domain.baseDn}`
      return add(`CN=${escapeRdn(name)},${above}`, {
        ...{ objectClass: 'user', sAMAccountName: account, userAccountControl: '512' },
        userPrincipalName: `${account}@${domain.realm.toLowerCase()}`,
        ...attributes,
        unicodePwd: unicodePwd(oldPassword()) as never,
      })
    },
    group: (
      name: string,
      members: readonly string[],
      groupType = '-2147483646',
      place = `OU=Outside,${domain.baseDn}`,
    ) =>
      add(`CN=${escapeRdn(name)},${place}`, {
        ...{ objectClass: 'group', sAMAccountName: name, groupType },
        ...(members.length === 0 ? {} : { member: [...members] as never }),
      }),
    addMember: (group: string, member: string) => change('add', group, member),
    removeMember: (group: string, member: string) => change('delete', group, member),
  }
}

/** SID of a group of the table in this domain. */
function sidOfProtected(name: string, domainSid: string): string {
  const [, start = '', rid = ''] = /^\^(.*)-(\d+)\$$/.exec(PROTECTED_GROUPS[name]?.source ?? '') ?? []
  return start.startsWith('S-1-5-32') ? `S-1-5-32-${rid}` : `${domainSid}-${rid}`
}

async function missingGroups(domain: SambaDomain, domainSid: string): Promise<readonly DomainEdit[]> {
  const known = await groupDns(domain)
  return Object.keys(PROTECTED_GROUPS)
    .filter((name) => !known.has(name))
    .map((name) => {
      const sid = sidOfProtected(name, domainSid)
      const place = sid.startsWith('S-1-5-32-') ? 'CN=Builtin' : 'CN=Users'
      return { edit: 'add_group', dn: `CN=${name},${place},${domain.baseDn}`, sid, name }
    })
}

async function groupDns(domain: SambaDomain): Promise<ReadonlyMap<string, string>> {
  const wish = { scope: 'sub', filter: '(objectClass=group)', attributes: ['cn'] } as const
  const { searchEntries } = await (await domain.admin()).search(domain.baseDn, {
    ...wish,
    attributes: ['cn'],
  })
  return new Map(searchEntries.map(({ dn, cn }) => [String(cn), dn]))
}

async function readSid(domain: SambaDomain, dn: string): Promise<string> {
  const { objectSid } = await readEntry(await domain.admin(), dn, ['objectSid'])
  return sidText(objectSid as Buffer) ?? ''
}
