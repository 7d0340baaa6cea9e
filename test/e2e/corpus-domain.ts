// The corpus in Active Directory: the units and groups of its domain, and what its rows are made with.
import { Attribute, Change } from 'ldapts'
import { PROTECTED_GROUPS } from '../../src/agent/decisions/judge-protection.ts'
import { sidText } from '../../src/agent/directory/active-directory/sid.ts'
import { adminPassword, newPassword, oldPassword, servicePassword } from '../servers/canaries.ts'
import {
  escapeRdn,
  ldapClient,
  readEntry,
  readGuid,
  replaceAttribute,
  setPassword,
  unicodePwd,
} from '../servers/directory-admin.ts'
import type { SambaDomain } from '../servers/samba-domain.ts'
import type { DomainEdit } from '../servers/samba-template.ts'
import { type Corpus, type CorpusTools, createCorpus } from './corpus.ts'
import { ALLOWED, OUT_OF_SCOPE, PROTECTED, SCOPE_SETTINGS } from './protected-corpus.ts'

/** How a user of the corpus differs from the usual one. */
export interface CorpusUser {
  /** RDNs below the base DN. Default `OU=People`. */
  readonly place?: string
  readonly attributes?: Readonly<Record<string, string>>
}

/** The domain as rows need it. */
export interface CorpusDomain extends CorpusTools {
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

/** Who cannot sign in by a simple bind, whatever the password is. */
const NO_BIND = ['member of Protected Users', 'trust account']

/** The corpus of Active Directory. */
export const activeDirectoryCorpus = (): Corpus =>
  createCorpus<CorpusDomain>({
    settings: SCOPE_SETTINGS,
    lists: { protected: PROTECTED, outOfScope: OUT_OF_SCOPE, allowed: ALLOWED },
    identities: 40,
    samples: {
      ...{ mighty: 'adminCount 1', outside: 'another unit', written: 'a member of the group' },
      executive: 'nested in a configured group',
    },
    renamed: {
      from: 'CN=Executives,OU=Outside,DC=corp,DC=test',
      to: 'CN=Directors,OU=Outside,DC=corp,DC=test',
    },
    // What has no password, is gone, or may have its password set by the system alone.
    notWritable: [
      ...['group managed service account', 'trust account', 'contact', 'group', 'unit', 'AdminSDHolder'],
      ...['deleted after the link', 'deleted, and made again with the same name'],
    ],
    layOut: (domain) => layOutCorpus(domain as SambaDomain),
    finish: async (corpus, dns) => {
      // So nothing but protection stands between most of them and a write.
      const account = corpus.domain.serviceAccountDn
      await corpus.domain.edit(...corpus.edits(), { edit: 'allow_writing', account, dns: [...dns] })
    },
  })

/** Makes units, groups, and the protected groups that this domain lacks. */
async function layOutCorpus(domain: SambaDomain): Promise<CorpusDomain> {
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
  const groupDn = (name: string) => {
    const dn = groups.get(name)
    if (dn === undefined) throw new Error(`the domain has no group ${name}`)
    return dn
  }
  return {
    ...tools,
    ...{ domain, domainSid, names, groupDn },
    groups: { ...names, mighty: groupDn('Domain Admins') },
    sids: { executives: await readSid(domain, names.executives) },
    member: async (dn) => {
      await tools.addMember(names.scope, dn)
      return dn
    },
    makePrimary: async (user, group) => {
      const rid = (await readSid(domain, group)).split('-').at(-1) ?? ''
      await replaceAttribute(admin, user, 'primaryGroupID', [rid])
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
    readAnchor: async (dn: string) => readGuid(await domain.admin(), dn),
    rename: async (dn: string, to: string) => (await domain.admin()).modifyDN(dn, to),
    stateOf: async (anchor: string) => {
      const wish = ['cn', 'uSNChanged', 'pwdLastSet', 'lockoutTime', 'adminDisplayName', 'userPrincipalName']
      const values = await readEntry(await domain.admin(), `<GUID=${anchor}>`, wish).catch(() => undefined)
      if (values === undefined) return undefined
      const text = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined)
      const isUnable = NO_BIND.includes(text('cn') ?? '') || values['dn'] === domain.serviceAccountDn
      const principal = isUnable ? undefined : text('userPrincipalName')
      return { values, marker: text('adminDisplayName'), principal }
    },
    refusedOf: async (rows: Parameters<CorpusTools['refusedOf']>[0]) => {
      const client = await ldapClient(domain.url)
      await client.bind(domain.serviceAccountName, servicePassword().toString())
      const own = { Administrator: adminPassword(), 'the service account': servicePassword() }
      const refused: string[] = []
      for (const { name, anchor } of rows) {
        const password = own[name as keyof typeof own] ?? newPassword()
        await setPassword(client, `<GUID=${anchor}>`, password).catch(() => refused.push(name))
      }
      await client.unbind()
      return refused
    },
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
