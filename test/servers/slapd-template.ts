// The OpenLDAP server that every test server is copied from. The script that makes it is the one that the container of
// install/compose runs, and it loads the very files of install/openldap.
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtOnce } from './built-once.ts'
import { adminPassword, servicePassword } from './canaries.ts'
import { runCommand } from './child-process.ts'
import { testCa } from './test-ca.ts'

const LDIF = fileURLToPath(new URL('../../install/openldap/', import.meta.url))
const MAKE_SERVER = fileURLToPath(new URL('../../install/compose/make-server.sh', import.meta.url))
const SLAPD = '/usr/sbin/slapd'

/** Base DN of every test server. */
export const SLAPD_BASE = 'dc=corp,dc=test'
/** Who may do everything, password policy included. */
export const SLAPD_ADMIN = `cn=admin,${SLAPD_BASE}`
/** The least-privilege account of install/openldap/service-account.ldif. */
export const SLAPD_SERVICE_ACCOUNT = `uid=svc-writeback,ou=Services,${SLAPD_BASE}`
/** The policy of all who have none of their own. */
export const SLAPD_POLICY = `cn=default,ou=Policies,${SLAPD_BASE}`

/** How a server may keep passwords. */
export const PASSWORD_SCHEMES = ['{SSHA}', '{ARGON2}'] as const
/** How the server keeps passwords. */
export type PasswordScheme = (typeof PASSWORD_SCHEMES)[number]

// A hundredth of what is recommended: what a password costs the server is not what is tested, and the tests have many.
const ARGON2_COST = 'm=256 t=1 p=1'

/** Directory with a server, made at the first call on a machine (about 0.5 s) and once per version of what is in it. */
export async function slapdTemplate(scheme: PasswordScheme): Promise<string> {
  const files = (await readdir(LDIF)).filter((name) => name.endsWith('.ldif')).sort()
  const recipe = createHash('sha256').update(ARGON2_COST).update(adminPassword()).update(servicePassword())
  for (const file of [SLAPD, MAKE_SERVER, ...files.map((name) => path.join(LDIF, name))])
    recipe.update(await readFile(file))
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
  const file = (name: string) => path.join(directory, name)
  await mkdir(file('bin'), { mode: 0o700 })
  await runCommand('cp', [SLAPD, slapdProgram(directory)])
  await writeFile(file('admin-password'), adminPassword(), { mode: 0o600 })
  await writeFile(file('service-password'), servicePassword(), { mode: 0o600 })
  const env = {
    ...{ LDIF, SUFFIX: SLAPD_BASE, SCHEME: scheme, ARGON2_COST, SLAPD: slapdProgram(directory) },
    ...{ ADMIN_PASSWORD_FILE: file('admin-password'), SERVICE_PASSWORD_FILE: file('service-password') },
    ...{ CA_FILE: caFile, CERTIFICATE_FILE: server.certFile, KEY_FILE: server.keyFile },
  }
  // Whatever it leaves running ends with it, and it with this process.
  await runCommand('setpriv', ['--pdeathsig', 'TERM', 'sh', MAKE_SERVER, directory], { env })
  for (const name of ['admin-password', 'service-password']) await rm(file(name))
}
