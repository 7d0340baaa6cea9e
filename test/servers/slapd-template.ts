// The OpenLDAP server that every test server is copied from: Debian's usual access rules, the overlays, and then the very
// files of install/openldap, loaded as their README says.
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtOnce } from './built-once.ts'
import { adminPassword, servicePassword } from './canaries.ts'
import { runCommand, startReadyChild } from './child-process.ts'
import { testCa } from './test-ca.ts'

const INSTALL = fileURLToPath(new URL('../../install/openldap/', import.meta.url))
const SLAPD = '/usr/sbin/slapd'
// The suffix of the files in install/openldap, and the one of the test servers.
const SHIPPED_SUFFIX = /dc=example,dc=org/g

/** Base DN of every test server. */
export const SLAPD_BASE = 'dc=corp,dc=test'
/** Who may do everything, password policy included. */
export const SLAPD_ADMIN = `cn=admin,${SLAPD_BASE}`
/** The least-privilege account of install/openldap/service-account.ldif. */
export const SLAPD_SERVICE_ACCOUNT = `uid=svc-writeback,ou=Services,${SLAPD_BASE}`
/** The policy of all who have none of their own. */
export const SLAPD_POLICY = `cn=default,ou=Policies,${SLAPD_BASE}`

/** How the server keeps passwords. */
export type PasswordScheme = '{SSHA}' | '{ARGON2}'

/** Directory with a server, made at the first call on a machine (about 0.5 s) and once per version of what is in it. */
export async function slapdTemplate(scheme: PasswordScheme): Promise<string> {
  const files = (await readdir(INSTALL)).filter((name) => name.endsWith('.ldif')).sort()
  const recipe = createHash('sha256')
    .update(await readFile(SLAPD))
    .update(configLdif(scheme, ''))
  for (const name of files) recipe.update(await readFile(path.join(INSTALL, name)))
  for (const part of [DATA, adminPassword(), servicePassword()]) recipe.update(part)
  const name = `slapd-${scheme.replace(/\W/g, '').toLowerCase()}-${recipe.digest('hex').slice(0, 12)}`
  return builtOnce(name, (directory) => build(directory, scheme))
}

/** Program of a template. A copy: on some systems AppArmor confines the one of the distribution to its own directories. */
export const slapdProgram = (template: string): string => path.join(template, 'bin', 'slapd')

/** Copies what a server of its own needs; all paths of its configuration are relative to `directory`. */
export async function layOutSlapd(template: string, directory: string): Promise<void> {
  const parts = ['conf', 'db'].map((name) => path.join(template, name))
  await runCommand('cp', ['-r', '--preserve=mode', '--sparse=always', ...parts, directory])
}

async function build(directory: string, scheme: PasswordScheme): Promise<void> {
  const { caFile, server } = await testCa()
  const tls = `olcTLSCACertificateFile: ${caFile}
olcTLSCertificateFile: ${server.certFile}
olcTLSCertificateKeyFile: ${server.keyFile}
`
  for (const name of ['bin', 'conf', 'db']) await mkdir(path.join(directory, name), { mode: 0o700 })
  await runCommand('cp', [SLAPD, slapdProgram(directory)])
  await slapadd(directory, 0, configLdif(scheme, tls))
  await slapadd(directory, 1, DATA)
  await loadShippedFiles(directory)
}

async function slapadd(directory: string, database: number, ldif: string): Promise<void> {
  const args = ['-T', 'add', '-q', '-n', String(database), '-F', 'conf']
  await runCommand(slapdProgram(directory), args, { cwd: directory, input: ldif })
}

/** As the README of install/openldap says: the first four to cn=config, then the service account. */
async function loadShippedFiles(directory: string): Promise<void> {
  const socket = `ldapi://${encodeURIComponent(path.join(directory, 'setup.sock'))}`
  const passwordFile = path.join(directory, 'setup-password')
  await writeFile(passwordFile, adminPassword(), { mode: 0o600 })
  const as = (dn: string) => ['-x', '-H', socket, '-D', dn, '-y', passwordFile]
  const server = await startReadyChild(
    {
      command: slapdProgram(directory),
      args: ['-d', '0', '-F', 'conf', '-h', socket],
      cwd: directory,
      outputFile: path.join(directory, 'setup.log'),
    },
    () =>
      runCommand('ldapwhoami', as('cn=config')).then(
        () => true,
        () => false,
      ),
  )
  try {
    for (const name of ['schema', 'index', 'access', 'monitor'])
      await runCommand('ldapmodify', ['-a', ...as('cn=config')], { input: await shipped(name) })
    await runCommand('ldapadd', as(SLAPD_ADMIN), { input: await shipped('service-account') })
    const newPassword = path.join(directory, 'service-password')
    await writeFile(newPassword, servicePassword(), { mode: 0o600 })
    await runCommand('ldappasswd', [...as(SLAPD_ADMIN), '-T', newPassword, SLAPD_SERVICE_ACCOUNT])
  } finally {
    await server.end('SIGTERM')
  }
}

const shipped = async (name: string): Promise<string> =>
  (await readFile(path.join(INSTALL, `${name}.ldif`), 'utf8')).replace(SHIPPED_SUFFIX, SLAPD_BASE)

const configLdif = (scheme: PasswordScheme, tls: string): string => `dn: cn=config
objectClass: olcGlobal
cn: config
${tls}olcTLSVerifyClient: never
olcTLSProtocolMin: 3.3
olcThreads: 4
olcToolThreads: 1

dn: cn=module,cn=config
objectClass: olcModuleList
cn: module
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb
olcModuleLoad: ppolicy
olcModuleLoad: memberof
olcModuleLoad: argon2 m=19456 t=2 p=1

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

include: file:///etc/ldap/schema/core.ldif

include: file:///etc/ldap/schema/cosine.ldif

include: file:///etc/ldap/schema/inetorgperson.ldif

dn: olcDatabase={-1}frontend,cn=config
objectClass: olcDatabaseConfig
objectClass: olcFrontendConfig
olcDatabase: {-1}frontend
olcPasswordHash: ${scheme}
olcAccess: to dn.base="" by * read
olcAccess: to dn.base="cn=subschema" by * read

dn: olcDatabase={0}config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: {0}config
olcRootDN: cn=config
olcRootPW: ${adminPassword()}

dn: olcDatabase={1}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {1}mdb
olcDbDirectory: db
olcDbMaxSize: 268435456
olcSuffix: ${SLAPD_BASE}
olcRootDN: ${SLAPD_ADMIN}
olcRootPW: ${adminPassword()}
olcDbIndex: objectClass eq
olcDbIndex: cn,uid eq
olcDbIndex: member eq
olcAccess: to attrs=userPassword by self write by anonymous auth by * none
olcAccess: to * by * read

dn: olcOverlay=memberof,olcDatabase={1}mdb,cn=config
objectClass: olcOverlayConfig
objectClass: olcMemberOfConfig
olcOverlay: memberof

dn: olcOverlay=ppolicy,olcDatabase={1}mdb,cn=config
objectClass: olcOverlayConfig
objectClass: olcPPolicyConfig
olcOverlay: ppolicy
olcPPolicyDefault: ${SLAPD_POLICY}
olcPPolicyHashCleartext: TRUE
olcPPolicyUseLockout: TRUE
`

const unit = (name: string): string =>
  `dn: ou=${name},${SLAPD_BASE}\nobjectClass: organizationalUnit\nou: ${name}\n\n`

const DATA = `dn: ${SLAPD_BASE}
objectClass: dcObject
objectClass: organization
o: corp
dc: corp

${['People', 'Outside', 'Groups', 'Services', 'Policies'].map(unit).join('')}dn: ${SLAPD_POLICY}
objectClass: organizationalRole
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdCheckQuality: 2
pwdMinLength: 7
pwdInHistory: 5
pwdLockout: TRUE
pwdMaxFailure: 0
pwdMustChange: TRUE
pwdAllowUserChange: TRUE
pwdSafeModify: FALSE
`
