// The provisioned domain that every test domain is copied from, and the configuration file of one copy.
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtOnce } from './built-once.ts'
import { adminPassword, servicePassword } from './canaries.ts'
import { runCommand } from './child-process.ts'
import type { TestCa } from './test-ca.ts'

const PROVISION = fileURLToPath(new URL('provision-domain.py', import.meta.url))
const EDITS = fileURLToPath(new URL('domain_edits.py', import.meta.url))

/** The least-privilege account that the template holds. */
export const SERVICE_ACCOUNT = 'svc-writeback'

/** Directory with a provisioned domain, made at the first call on a machine (4-9 s) and once per Samba version. */
export async function sambaTemplate(realm: string): Promise<string> {
  const version = (await runCommand('samba', ['--version']))
    .replace(/[^0-9.]+/g, ' ')
    .trim()
    .split(' ')[0]
  const recipe = createHash('sha256')
    .update(await readFile(PROVISION))
    .update(await readFile(EDITS))
    .update(adminPassword())
    .update(servicePassword())
  const name = `samba-${version}-${realm.toLowerCase()}-${recipe.digest('hex').slice(0, 12)}`
  return builtOnce(name, (directory) => provision(directory, realm))
}

async function provision(directory: string, realm: string): Promise<void> {
  const wish = {
    realm,
    workgroup: workgroupOf(realm),
    adminPassword: adminPassword().toString(),
    serviceAccount: SERVICE_ACCOUNT,
    servicePassword: servicePassword().toString(),
  }
  // Debian's own python3: another one earlier on PATH has no samba module.
  await runCommand('/usr/bin/python3', [PROVISION, directory], {
    input: JSON.stringify(wish),
    env: { TDB_NO_FSYNC: '1' },
  })
}

/** A change that LDAP does not offer. */
export type DomainEdit =
  /** Gives an account rights on the users below `ou`. */
  | {
      readonly edit: 'delegate'
      readonly account: string
      readonly ou: string
      readonly rights: readonly ('resetPassword' | 'lockoutTime' | 'pwdLastSet' | 'adminDisplayName')[]
    }
  /** Lets an account read the fine-grained password policies. */
  | { readonly edit: 'read_policies'; readonly account: string }
  /** Takes from the user `dn` the right to change the password. */
  | { readonly edit: 'deny_change'; readonly dn: string }
  /** Hides attributes of `dn` from an account. */
  | {
      readonly edit: 'deny_read'
      readonly account: string
      readonly dn: string
      readonly attributes: readonly string[]
    }
  /** Keeps an account from writing attributes of `dn`, whatever it inherits. */
  | {
      readonly edit: 'deny_write'
      readonly account: string
      readonly dn: string
      readonly attributes: readonly string[]
    }
  /** Adds an entry (SDDL) to the access control list of `dn`. */
  | { readonly edit: 'add_ace'; readonly dn: string; readonly ace: string }
  /** Writes attributes that only the directory itself may write. */
  | { readonly edit: 'overwrite'; readonly dn: string; readonly values: Readonly<Record<string, string>> }
  /** Makes `dn` look as if it had come from other domains, where it had these SIDs. */
  | { readonly edit: 'sid_history'; readonly dn: string; readonly sids: readonly string[] }
  /** Makes the password of `dn` look `days` old. */
  | { readonly edit: 'password_age'; readonly dn: string; readonly days: number }
  /** Protects `dn` as Windows protects members of administrative groups: adminCount 1, no inherited rights. */
  | { readonly edit: 'protect'; readonly dn: string }
  /** Gives an account the rights of the agent on each of the entries, also on those that inherit none. */
  | { readonly edit: 'allow_writing'; readonly account: string; readonly dns: readonly string[] }
  /** Replaces attributes that only the system writes; a value that is a SID is stored as one. */
  | { readonly edit: 'put'; readonly dn: string; readonly values: Readonly<Record<string, string>> }
  /** Makes a security group with the SID of a well-known one that this domain lacks. */
  | { readonly edit: 'add_group'; readonly dn: string; readonly sid: string; readonly name: string }

/** Makes changes in the database of a domain, also while it runs (about 0.5 s for all of them together). */
export async function editDomain(smbConfFile: string, edits: readonly DomainEdit[]): Promise<void> {
  await runCommand('/usr/bin/python3', [EDITS, smbConfFile], { input: JSON.stringify(edits) })
}

/** NetBIOS name of a realm: its first label. */
const workgroupOf = (realm: string): string => (realm.split('.')[0] as string).toUpperCase()

/** What one copy of the template needs to know about itself. */
export interface SambaCopy {
  readonly directory: string
  readonly address: string
  readonly realm: string
  readonly services: string
  readonly ca: TestCa
  readonly settings: Readonly<Record<string, string>>
}

/** Copies the template to `copy.directory` and writes the configuration files. Absolute paths live only in smb.conf. */
export async function layOutDomain(template: string, copy: SambaCopy): Promise<void> {
  await runCommand('cp', [
    '-r',
    '--preserve=mode',
    '--reflink=auto',
    '--sparse=always',
    `${template}/.`,
    copy.directory,
  ])
  for (const name of ['etc', 'private', 'state', 'cache', 'lock', 'run', 'log', 'ncalrpc', 'bind-dns']) {
    await mkdir(path.join(copy.directory, name), { recursive: true })
  }
  await writeFile(path.join(copy.directory, 'etc', 'smb.conf'), smbConf(copy))
  await writeFile(path.join(copy.directory, 'etc', 'krb5.conf'), krb5Conf(copy))
}

function smbConf({ directory, address, realm, services, ca, settings }: SambaCopy): string {
  const all: Record<string, string> = {
    'netbios name': 'DC1',
    realm,
    workgroup: workgroupOf(realm),
    'server role': 'active directory domain controller',
    'server services': services,
    // With /32 Samba finds no interface.
    interfaces: `${address}/8`,
    'bind interfaces only': 'yes',
    'disable netbios': 'yes',
    'private dir': `${directory}/private`,
    'state directory': `${directory}/state`,
    'cache directory': `${directory}/cache`,
    'lock directory': `${directory}/lock`,
    'pid directory': `${directory}/run`,
    'ncalrpc dir': `${directory}/ncalrpc`,
    'binddns dir': `${directory}/bind-dns`,
    'ntp signd socket directory': `${directory}/ntp`,
    'winbindd socket directory': `${directory}/winbindd`,
    'log file': `${directory}/log/log.%m`,
    logging: 'file',
    'tls enabled': 'yes',
    'tls certfile': ca.server.certFile,
    'tls keyfile': ca.server.keyFile,
    'tls cafile': ca.caFile,
    'tls dh params file': ca.dhFile,
    'load printers': 'no',
    ...settings,
  }
  const lines = Object.entries(all).map(([name, value]) => `\t${name} = ${value}\n`)
  return `[global]\n${lines.join('')}`
}

function krb5Conf({ address, realm }: SambaCopy): string {
  const domain = realm.toLowerCase()
  return `[libdefaults]
  default_realm = ${realm}
  dns_lookup_realm = false
  dns_lookup_kdc = false
  rdns = false
[realms]
  ${realm} = {
    kdc = ${address}
  }
[domain_realm]
  .${domain} = ${realm}
  ${domain} = ${realm}
`
}
