// The corpus in OpenLDAP: entries of every kind, groups of every class, and units whose names are a trap.
import { oldPassword } from '../servers/canaries.ts'
import { escapeRdn, replaceAttribute } from '../servers/directory-admin.ts'
import { createGroup } from '../servers/slapd-admin.ts'
import type { SlapdServer } from '../servers/slapd-server.ts'
import { type Corpus, type CorpusRow, createCorpus } from './corpus.ts'
import {
  BASE,
  createEntries,
  type Entries,
  EXECUTIVES,
  GUARDS,
  group,
  PEOPLE,
  SCOPE,
  STAFF,
  UNIQUE,
  type Values,
} from './openldap-entries.ts'

/** Of the POSIX group that the configuration protects, and of the one of the scope. */
const GID = { guards: '6001', staff: '6002', others: '6003' } as const

type Row = CorpusRow<Entries>
const row = (name: string, make: Row['make']): Row => ({ name, make })

/** What the configuration names must be there when the agent starts. */
const NAMED = {
  named: `uid=named,${STAFF}`,
  spelled: `uid=Ann \\+ Bob,${STAFF}`,
  far: `uid=far,${PEOPLE}`,
} as const

/** A member of a new group, which is a member of a new group, and so on up to `top`. */
const nested = (name: string, top: string, levels: number): Row =>
  row(name, async (entries) => {
    const person = await entries.person(name)
    let inner = person
    for (let level = 0; level < levels; level += 1) inner = await entries.group(`${name} ${level}`, [inner])
    await entries.addMember(top, inner)
    return person
  })

const posix = (gidNumber: string): Values => ({
  objectClass: ['inetOrgPerson', 'posixAccount'],
  ...{ uidNumber: '5000', gidNumber, homeDirectory: '/' },
})

/** Something with a password in a unit of the scope that is nobody's account. */
const thing = (name: string, objectClass: readonly string[], values: Values = {}): Row =>
  row(name, ({ add }) =>
    add(`cn=${escapeRdn(name)},${STAFF}`, {
      objectClass,
      cn: name,
      userPassword: oldPassword().toString(),
      ...values,
    }),
  )

const PROTECTED: readonly Row[] = [
  row('the service account', async ({ server }) => server.serviceAccountDn),
  row('an entry that the configuration names', async () => NAMED.named),
  row('an entry that it names by another spelling', async () => NAMED.spelled),
  row('an entry that it names, in another unit', async () => NAMED.far),
  nested('member of a protected group', EXECUTIVES, 0),
  ...[1, 2, 3, 7].map((levels) => nested(`nested ${levels} deep in a protected group`, EXECUTIVES, levels)),
  row('member of a protected group of unique names', async ({ server, person }) => {
    const dn = await person('unique')
    await replaceAttribute(await server.admin(), UNIQUE, 'uniqueMember', [dn])
    return dn
  }),
  row('member of a group of unique names within a protected one', async ({ person, add, addMember }) => {
    const dn = await person('unique within')
    const inner = await add(group('Unique within'), { objectClass: 'groupOfUniqueNames', uniqueMember: dn })
    await addMember(EXECUTIVES, inner)
    return dn
  }),
  row('member of a protected POSIX group', async ({ server, person }) => {
    await replaceAttribute(await server.admin(), GUARDS, 'memberUid', ['guard'])
    return person('guard')
  }),
  row('a protected POSIX group as primary group', ({ person }) =>
    person('guard by number', { values: posix(GID.guards) }),
  ),
  row('a POSIX group within a protected group as primary group', async ({ person, add, addMember }) => {
    const inner = await add(group('Inner guards'), { objectClass: 'posixGroup', gidNumber: '6009' })
    await addMember(EXECUTIVES, inner)
    return person('inner guard', { values: posix('6009') })
  }),
  row('a service with a password', ({ add }) =>
    add(`uid=service,${STAFF}`, {
      ...{ objectClass: ['account', 'simpleSecurityObject'], uid: 'service' },
      userPassword: oldPassword().toString(),
    }),
  ),
  thing('a role', ['organizationalRole', 'simpleSecurityObject']),
  thing('a device', ['device', 'simpleSecurityObject']),
  thing('a process', ['applicationProcess', 'simpleSecurityObject']),
  thing('a POSIX group with a password', ['posixGroup'], { gidNumber: '6010' }),
  row('a group of names', ({ add }) =>
    add(`cn=just a group,${STAFF}`, { objectClass: 'groupOfNames', cn: 'just a group', member: STAFF }),
  ),
  row('the unit itself', async () => STAFF),
]

const placed = (name: string, below: string): Row =>
  row(name, async ({ person, addMember }) => {
    const dn = await person(name, { below })
    await addMember(SCOPE, dn)
    return dn
  })
const unit = (name: string) => `ou=${name},${PEOPLE}`

const OUT_OF_SCOPE: readonly Row[] = [
  placed('another unit', unit('Outside')),
  placed('a unit whose name ends alike', unit('NotStaff')),
  placed('a unit whose name begins alike', unit('Staff2')),
  placed('a unit whose name holds the rest of the DN', unit('x\\2Cou\\3DStaff')),
  placed('the unit above a configured one', PEOPLE),
  row('not in the group', ({ person }) => person('not in the group')),
  row('in a group that the group is a member of', async (entries) => {
    const dn = await entries.person('in the outer group')
    await entries.group('outer', [dn, SCOPE])
    return dn
  }),
  row('in a POSIX group that is not the one of the scope', ({ person }) =>
    person('others', { values: posix(GID.others) }),
  ),
  {
    ...placed('moved out after the link', STAFF),
    afterLink: ({ rename }, dn) => rename(dn, `${dn.split(',')[0]},${unit('Outside')}`),
  },
  {
    ...placed('taken out of the group after the link', STAFF),
    afterLink: ({ removeMember }, dn) => removeMember(SCOPE, dn),
  },
  {
    ...placed('a unit that the service account may not read', `ou=Outside,${BASE}`),
    reason: 'account_not_found',
  },
  {
    ...placed('moved to where the service account may not read', STAFF),
    afterLink: ({ rename }, dn) => rename(dn, `${dn.split(',')[0]},ou=Outside,${BASE}`),
    reason: 'account_not_found',
  },
  {
    ...placed('deleted after the link', STAFF),
    afterLink: async ({ server }, dn) => (await server.admin()).del(dn),
    reason: 'account_not_found',
  },
  {
    ...placed('deleted, and made again with the same name', STAFF),
    afterLink: async ({ server, person }, dn) => {
      await (await server.admin()).del(dn)
      // The group names it as before.
      await person('deleted, and made again with the same name')
    },
    reason: 'account_not_found',
  },
]

const ALLOWED: readonly Row[] = [
  placed('a member of the group', STAFF),
  nested('a nested member of the group', SCOPE, 2),
  row('a member of the POSIX group', async ({ server, person }) => {
    await replaceAttribute(await server.admin(), group('staff'), 'memberUid', ['by name'])
    return person('by name')
  }),
  row('the POSIX group as primary group', ({ person }) => person('by number', { values: posix(GID.staff) })),
  row('a person without an uid', async ({ add, addMember }) => {
    const values = { objectClass: 'person', cn: 'plain', sn: 'plain', userPassword: oldPassword().toString() }
    const dn = await add(`cn=plain,${STAFF}`, values)
    await addMember(SCOPE, dn)
    return dn
  }),
  row('an account that signs in', async ({ person, addMember }) => {
    const dn = await person('shell', {
      values: { ...posix(GID.others), objectClass: ['account', 'posixAccount'] },
    })
    await addMember(SCOPE, dn)
    return dn
  }),
  row('a member of an ordinary group', async (entries) => {
    const dn = await entries.person('ordinary')
    await entries.addMember(SCOPE, dn)
    await entries.group('Readers', [dn])
    return dn
  }),
  placed('a sub-unit', `ou=Team,${STAFF}`),
  placed('a unit with a comma', unit('Sales\\, East')),
  placed('a unit with other letters', unit('Zürich \\"Nord\\" \\+ 東京')),
  placed('a name that looks like another unit,ou=Outside', STAFF),
]

const UNITS = [
  ...[STAFF, `ou=Team,${STAFF}`],
  ...['Outside', 'NotStaff', 'Staff2', 'x\\2Cou\\3DStaff', 'Sales\\, East', 'Zürich \\"Nord\\" \\+ 東京'].map(
    unit,
  ),
]

/** The units as a careful, and as a careless, administrator writes them into the configuration. */
const SETTINGS = `    scope:
      units:
        - 'OU=STAFF , ou=people,dc=Corp,DC=test'
        - 'ou=sales\\2C east,ou=People,dc=corp,dc=test'
        - 'ou=Z\\C3\\BCrich \\22Nord\\22 \\2b 東京,ou=People,dc=corp,dc=test'
      groups: ['cn=writeback users,ou=Groups,dc=corp,dc=test', 'CN=staff,ou=Groups,dc=corp,dc=test']
    protection:
      groups: ['cn=Executives,ou=Groups,dc=corp,dc=test', 'cn=guards,ou=groups,dc=corp,dc=test', 'cn=Unique,ou=Groups,dc=corp,dc=test']
      accounts: ['uid=named,${STAFF}', 'UID=Ann \\2B Bob , ou=staff,${PEOPLE}', 'uid=far,${PEOPLE}']
`

/** The corpus of OpenLDAP. */
export const openLdapCorpus = (): Corpus =>
  createCorpus<Entries>({
    settings: SETTINGS,
    lists: { protected: PROTECTED, outOfScope: OUT_OF_SCOPE, allowed: ALLOWED },
    identities: 30,
    samples: {
      ...{ mighty: 'an entry that the configuration names', outside: 'another unit' },
      ...{ written: 'a member of the group', executive: 'nested 1 deep in a protected group' },
    },
    renamed: { from: EXECUTIVES, to: group('Directors') },
    // What is not within the people, has no password, or is gone.
    notWritable: [
      ...['the service account', 'a group of names', 'a unit that the service account may not read'],
      ...['moved to where the service account may not read', 'deleted after the link'],
      'deleted, and made again with the same name',
    ],
    layOut: (domain) => layOut(domain as SlapdServer),
    finish: async () => {},
  })

async function layOut(server: SlapdServer): Promise<Entries> {
  const admin = await server.admin()
  const entries = createEntries(server)
  for (const dn of UNITS) await entries.add(dn, { objectClass: 'organizationalUnit' })
  // A group of names is never empty.
  for (const name of ['Executives', 'Writeback Users']) await createGroup(admin, name, [server.adminDn])
  await entries.add(GUARDS, { objectClass: 'posixGroup', gidNumber: GID.guards })
  await entries.add(group('staff'), { objectClass: 'posixGroup', gidNumber: GID.staff })
  await entries.add(UNIQUE, { objectClass: 'groupOfUniqueNames', uniqueMember: server.adminDn })
  await entries.person('named')
  await entries.person('Ann + Bob')
  await entries.person('far', { below: PEOPLE })
  return entries
}
