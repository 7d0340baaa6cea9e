// Accounts that an agent must never write, made for real in a domain: each is protected, or out of scope, for one reason.
import { PROTECTED_GROUPS } from '../../src/agent/decisions/judge-protection.ts'
import { escapeRdn } from '../servers/directory-admin.ts'
import type { CorpusRow } from './corpus.ts'
import type { CorpusDomain } from './corpus-domain.ts'

type Row = CorpusRow<CorpusDomain>
const UNIVERSAL = '-2147483640'
const DOMAIN_LOCAL = '-2147483644'
const DISTRIBUTION = '2'
const row = (name: string, make: Row['make']): Row => ({ name, make })

/** A member of a new group, which is a member of a new group, and so on up to `top`. */
const nested = (name: string, top: string, types: readonly (string | undefined)[]) =>
  row(name, async (corpus) => {
    const user = await corpus.user(name)
    let inner = user
    for (const [level, type] of types.entries()) inner = await corpus.group(`${name} ${level}`, [inner], type)
    await corpus.addMember(corpus.groupDn(top), inner)
    return user
  })

/** A user whose primary group is the given one, and who is listed as a member of none. */
const primary = (name: string, groupOf: (corpus: CorpusDomain) => Promise<string> | string) =>
  row(name, async (corpus) => {
    const user = await corpus.user(name)
    const group = await groupOf(corpus)
    await corpus.addMember(group, user)
    await corpus.makePrimary(user, group)
    return user
  })

/** A user with attributes that only the system writes. */
const edited = (name: string, valuesOf: (corpus: CorpusDomain) => Record<string, string>) =>
  row(name, async (corpus) => {
    const dn = await corpus.user(name)
    corpus.later({ edit: 'put', dn, values: valuesOf(corpus) })
    return dn
  })

const entry = (name: string, attributes: Record<string, string>) =>
  row(name, (corpus) => corpus.add(`CN=${escapeRdn(name)},${corpus.domain.peopleDn}`, attributes))
const standing = (name: string, dnOf: (corpus: CorpusDomain) => string) =>
  row(name, async (corpus) => dnOf(corpus))

/** Protected whatever the configuration says of units and groups; all those that can be are in the scope's group. */
export const PROTECTED: readonly Row[] = [
  row('adminCount 1', (corpus) => corpus.user('adminCount 1', { attributes: { adminCount: '1' } })),
  ...Object.keys(PROTECTED_GROUPS).map((group) =>
    row(`member of ${group}`, async (corpus) => {
      const user = await corpus.user(`member of ${group}`)
      await corpus.addMember(corpus.groupDn(group), user)
      return user
    }),
  ),
  nested('nested one level', 'Domain Admins', [undefined]),
  nested('nested two levels', 'Domain Admins', [undefined, undefined]),
  nested('nested three levels', 'Enterprise Admins', [undefined, UNIVERSAL, UNIVERSAL]),
  nested('through a universal group', 'Administrators', [UNIVERSAL]),
  nested('through a domain local group', 'Account Operators', [undefined, DOMAIN_LOCAL]),
  row('member of a configured group', async (corpus) => {
    const user = await corpus.user('member of a configured group')
    await corpus.addMember(corpus.names.executives, user)
    return user
  }),
  nested('nested in a configured group', 'Executives', [undefined, undefined]),
  row('member of a group configured by SID', async (corpus) => {
    const user = await corpus.user('member of a group configured by SID')
    await corpus.addMember(corpus.groupDn('Network Configuration Operators'), user)
    return user
  }),
  nested('nested in a group configured by SID', 'Network Configuration Operators', [DOMAIN_LOCAL]),
  primary('primary group Domain Admins', (corpus) => corpus.groupDn('Domain Admins')),
  primary('primary group Policy Creators', (corpus) => corpus.groupDn('Group Policy Creator Owners')),
  primary('primary group Executives', (corpus) => corpus.names.executives),
  primary('primary group nested', async (corpus) => {
    const group = await corpus.group('nested primary', [])
    await corpus.addMember(corpus.groupDn('Domain Admins'), group)
    return group
  }),
  standing('Administrator', ({ domain }) => domain.adminDn),
  standing('krbtgt', ({ domain }) => `CN=krbtgt,CN=Users,${domain.baseDn}`),
  standing('Guest', ({ domain }) => `CN=Guest,CN=Users,${domain.baseDn}`),
  standing('the service account', ({ domain }) => domain.serviceAccountDn),
  standing('the domain controller', ({ domain }) => `CN=DC1,OU=Domain Controllers,${domain.baseDn}`),
  entry('computer', { objectClass: 'computer', sAMAccountName: 'pc1$', userAccountControl: '4096' }),
  entry('computer with the flags of a user', {
    ...{ objectClass: 'computer', sAMAccountName: 'pc2$', userAccountControl: '544' },
  }),
  entry('group managed service account', {
    ...{ objectClass: 'msDS-GroupManagedServiceAccount', sAMAccountName: 'gmsa$' },
    ...{ 'msDS-ManagedPasswordInterval': '30', userAccountControl: '4096' },
  }),
  entry('managed service account', {
    ...{ objectClass: 'msDS-ManagedServiceAccount', sAMAccountName: 'msa$', userAccountControl: '4096' },
  }),
  edited('trust account', () => ({ userAccountControl: '2080' })),
  edited('krbtgt of a read-only controller', () => ({ 'msDS-SecondaryKrbTgtNumber': '70000' })),
  edited('critical system object', () => ({ isCriticalSystemObject: 'TRUE' })),
  edited('once a Domain Admin', ({ domainSid }) => ({ sIDHistory: `${domainSid}-512` })),
  edited('once an admin elsewhere', () => ({ sIDHistory: 'S-1-5-21-11-22-33-519' })),
  edited('once the Administrator elsewhere', () => ({ sIDHistory: 'S-1-5-21-11-22-33-500' })),
  edited('once an executive', ({ sids }) => ({ sIDHistory: sids.executives })),
  entry('contact', { objectClass: 'contact' }),
  row('group', (corpus) => corpus.group('just a group', [], undefined, corpus.domain.peopleDn)),
  standing('unit', ({ domain }) => domain.peopleDn),
  standing('AdminSDHolder', ({ domain }) => `CN=AdminSDHolder,CN=System,${domain.baseDn}`),
]

const placed = (name: string, place: string) =>
  row(name, async (corpus) => corpus.member(await corpus.user(name, { place })))

/** Ordinary accounts, each of them outside of the configured units or groups for one reason. */
export const OUT_OF_SCOPE: readonly Row[] = [
  placed('another unit', 'OU=Outside'),
  placed('a container', 'CN=Users'),
  placed('a unit whose name ends alike', 'OU=NotPeople'),
  placed('a unit whose name holds the rest of the DN', 'OU=x\\,OU\\=People'),
  placed('a unit whose name begins alike', 'OU=People2'),
  placed('the unit above a configured one', 'OU=Plants'),
  placed('the root of the domain', ''),
  row('not in the group', (corpus) => corpus.user('not in the group')),
  row('in the group through a distribution group', async (corpus) => {
    const user = await corpus.user('by mail')
    const mail = await corpus.group('mail', [user], DISTRIBUTION)
    await corpus.member(mail)
    return user
  }),
  row('in a group that the group is a member of', async (corpus) => {
    const user = await corpus.user('in the outer group')
    await corpus.group('outer', [user, corpus.names.scope])
    return user
  }),
  {
    name: 'moved out after the link',
    make: async (corpus) => corpus.member(await corpus.user('moved')),
    afterLink: async (corpus, dn) => {
      await (await corpus.domain.admin()).modifyDN(dn, `CN=moved,OU=Outside,${corpus.domain.baseDn}`)
    },
  },
  {
    name: 'taken out of the group after the link',
    make: async (corpus) => corpus.member(await corpus.user('taken out')),
    afterLink: (corpus, dn) => corpus.removeMember(corpus.names.scope, dn),
  },
  {
    name: 'deleted after the link',
    make: async (corpus) => corpus.member(await corpus.user('deleted')),
    afterLink: async (corpus, dn) => (await corpus.domain.admin()).del(dn),
    reason: 'account_not_found',
  },
  {
    name: 'deleted, and made again with the same name',
    make: async (corpus) => corpus.member(await corpus.user('again')),
    afterLink: async (corpus, dn) => {
      await (await corpus.domain.admin()).del(dn)
      await corpus.member(await corpus.user('again'))
    },
    reason: 'account_not_found',
  },
]

/** Accounts beside them that must be written: nothing of the above is refused by mere caution. */
export const ALLOWED: readonly Row[] = [
  placed('a member of the group', 'OU=People'),
  nested('a nested member of the group', 'Writeback Users', [undefined, UNIVERSAL]),
  primary('the group as primary group', ({ names }) => names.scope),
  row('an inetOrgPerson', async (corpus) =>
    corpus.member(await corpus.user('inet', { attributes: { objectClass: 'inetOrgPerson' } })),
  ),
  row('a member of an ordinary builtin group', async (corpus) => {
    const user = await corpus.member(await corpus.user('builtin'))
    await corpus.addMember(corpus.groupDn('Remote Desktop Users'), user)
    return user
  }),
  row('an ordinary account of a former domain', async (corpus) => {
    const dn = await corpus.member(await corpus.user('former'))
    corpus.later({ edit: 'put', dn, values: { sIDHistory: 'S-1-5-21-11-22-33-1105' } })
    return dn
  }),
  placed('a sub-unit', 'OU=Team,OU=People'),
  placed('a unit with a comma', 'OU=Sales\\, East'),
  placed('a unit with other letters', 'OU=Zürich \\"Nord\\" \\+ 東京'),
  placed('a unit below another that is not configured', 'OU=North,OU=Plants'),
  placed('a name that looks like another unit,OU=Outside', 'OU=People'),
]

/** The units as a careful, and as a careless, administrator writes them into the configuration. */
export const SCOPE_SETTINGS = `    scope:
      units:
        - 'ou=PEOPLE , dc=Corp,DC=test'
        - 'OU=sales\\2C east,DC=corp,DC=test'
        - 'OU=Z\\C3\\BCrich \\22Nord\\22 \\2b 東京,DC=corp,DC=test'
        - 'OU=North,OU=Plants,DC=corp,DC=test'
      groups: ['cn=writeback users,OU=Outside,DC=corp,DC=test']
    protection:
      groups: ['CN=Executives,OU=Outside,DC=corp,DC=test', 'S-1-5-32-556']
`
