// A real Active Directory domain for one test: a Samba domain controller on a loopback address of its own, in about
// 0.3 s. It listens on port 636, so it needs root, or a private network namespace in which low ports are free
// (`unshare -Urn sh -c 'ip link set lo up; exec npm test'`).
import path from 'node:path'
import type { Client } from 'ldapts'
import { startReadyChild, type TestChild } from './child-process.ts'
import {
  type AccountState,
  adminClient,
  adminDn,
  answersRootRead,
  type CreatedUser,
  canBind,
  createUser,
  type DomainPolicy,
  type NewUser,
  readAccountState,
  setDomainPolicy,
  setPassword,
} from './directory-admin.ts'
import { keepClient } from './kept-client.ts'
import { takeLoopbackAddress } from './loopback-address.ts'
import {
  type DomainEdit,
  editDomain,
  layOutDomain,
  SERVICE_ACCOUNT,
  sambaTemplate,
} from './samba-template.ts'
import { makeScratchDirectory, removeScratchDirectory } from './scratch-directory.ts'
import { testCa } from './test-ca.ts'

/** How a test domain differs from the usual one. */
export interface SambaOptions {
  /** Default `CORP.TEST`. */
  readonly realm?: string
  /** `single` (default): one process, one operation at a time. `prefork`: as in production. */
  readonly model?: 'single' | 'prefork'
  /** Default `ldap`; `ldap, kdc` for kinit. */
  readonly services?: 'ldap' | 'ldap, kdc'
  readonly policy?: DomainPolicy
  /** How long the previous password still binds. Default 0; the default of a real domain is 60. */
  readonly oldPasswordAllowedMinutes?: number
  /** Further lines of smb.conf. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A running domain. All clients reach it at `url` and check its certificate for `serverName` (the address is named too). */
export interface SambaDomain {
  readonly kind: 'active-directory'
  readonly address: string
  readonly port: 636
  readonly url: string
  readonly serverName: 'dc1.corp.test'
  readonly realm: string
  readonly baseDn: string
  readonly peopleDn: string
  readonly adminDn: string
  readonly serviceAccountDn: string
  /** The service account as user@realm. */
  readonly serviceAccountName: string
  readonly caFile: string
  readonly smbConfFile: string
  /** For KRB5_CONFIG. */
  readonly krb5ConfigFile: string
  readonly directory: string
  readonly pid: number
  /** An ldapts client bound as Administrator, opened at the first call and again after a restart. */
  readonly admin: () => Promise<Client>
  readonly createUser: (user: NewUser) => Promise<CreatedUser>
  readonly readAccount: (dn: string) => Promise<AccountState>
  /** Sets a password as an administrator does, past the agent. */
  readonly setPassword: (dn: string, password: Buffer) => Promise<void>
  readonly setPolicy: (policy: DomainPolicy) => Promise<void>
  /** Changes that LDAP does not offer, made in the database of the running domain (about 0.5 s). */
  readonly edit: (...edits: DomainEdit[]) => Promise<void>
  /** True when a simple bind with this password is accepted. A refused one counts as a bad password. */
  readonly canBind: (name: string, password: Buffer) => Promise<boolean>
  /** Ends everything and removes the files. */
  readonly stop: () => Promise<void>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
  /** SIGSTOP: connections stay open, nothing answers. */
  readonly pause: () => void
  readonly resume: () => void
  /** Starts again on the same files and address, after `kill()` or from running. */
  readonly restart: () => Promise<void>
}

/** Starts a fresh domain. The caller stops it; when this process dies, the domain ends with it. */
export async function startSambaDomain(options: SambaOptions = {}): Promise<SambaDomain> {
  const realm = options.realm ?? 'CORP.TEST'
  const [template, ca, loopback] = await Promise.all([sambaTemplate(realm), testCa(), takeLoopbackAddress()])
  const directory = makeScratchDirectory()
  const { address } = loopback
  await layOutDomain(template, {
    directory,
    address,
    realm,
    services: options.services ?? 'ldap',
    ca,
    settings: {
      'old password allowed period': String(options.oldPasswordAllowedMinutes ?? 0),
      ...options.settings,
    },
  })
  const place = {
    url: `ldaps://${address}`,
    realm,
    baseDn: `DC=${realm.toLowerCase().split('.').join(',DC=')}`,
  }
  const child = await startSamba(directory, options.model ?? 'single', place.url)
  const domain = describeDomain({ ...place, address, directory, caFile: ca.caFile, child, options, loopback })
  if (options.policy) await domain.setPolicy(options.policy)
  return domain
}

interface Running {
  readonly url: string
  readonly realm: string
  readonly baseDn: string
  readonly address: string
  readonly directory: string
  readonly caFile: string
  readonly child: TestChild
  readonly options: SambaOptions
  readonly loopback: { readonly release: () => Promise<void> }
}

function describeDomain(running: Running): SambaDomain {
  const { url, realm, baseDn, address, directory } = running
  let { child } = running
  const admin = keepClient(() => adminClient(running))
  return {
    kind: 'active-directory',
    address,
    port: 636,
    url,
    serverName: 'dc1.corp.test',
    realm,
    baseDn,
    peopleDn: `OU=People,${baseDn}`,
    adminDn: adminDn(baseDn),
    serviceAccountDn: `CN=${SERVICE_ACCOUNT},CN=Users,${baseDn}`,
    serviceAccountName: `${SERVICE_ACCOUNT}@${realm.toLowerCase()}`,
    caFile: running.caFile,
    smbConfFile: path.join(directory, 'etc', 'smb.conf'),
    krb5ConfigFile: path.join(directory, 'etc', 'krb5.conf'),
    directory,
    get pid() {
      return child.pid
    },
    admin: admin.client,
    createUser: async (user) => createUser(await admin.client(), running, user),
    readAccount: async (dn) => readAccountState(await admin.client(), dn),
    setPassword: async (dn, password) => setPassword(await admin.client(), dn, password),
    setPolicy: async (policy) => setDomainPolicy(await admin.client(), baseDn, policy),
    edit: (...edits) => editDomain(path.join(directory, 'etc', 'smb.conf'), edits),
    canBind: (name, password) => canBind(url, name, password),
    pause: () => child.pause(),
    resume: () => child.resume(),
    kill: async () => {
      await child.end('SIGKILL')
      await admin.close()
    },
    restart: async () => {
      await child.end('SIGKILL')
      await admin.close()
      child = await startSamba(directory, running.options.model ?? 'single', url)
    },
    stop: async () => {
      await admin.close()
      await child.end('SIGTERM')
      await running.loopback.release()
      await removeScratchDirectory(directory)
    },
  }
}

function startSamba(directory: string, model: string, url: string): Promise<TestChild> {
  const file = path.join(directory, 'etc', 'smb.conf')
  return startReadyChild(
    {
      command: 'samba',
      args: ['-i', '-M', model, '--no-process-group', '--maximum-runtime=3600', '-s', file],
      outputFile: path.join(directory, 'log', 'stdout'),
      env: { TDB_NO_FSYNC: '1', KRB5_CONFIG: path.join(directory, 'etc', 'krb5.conf') },
    },
    () => answersRootRead(url),
  )
}
