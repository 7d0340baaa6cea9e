// A real OpenLDAP server for one test, on a loopback address of its own, in about 0.1 s: LDAPS with the certificate of the
// test CA, password policy, memberOf, and the schema, rules and service account of install/openldap. Port 636, as Samba.
import type { Client } from 'ldapts'
import { startReadyChild, type TestChild } from './child-process.ts'
import {
  type AccountState,
  answersRootRead,
  type CreatedUser,
  canBind,
  type DomainPolicy,
  type NewUser,
} from './directory-admin.ts'
import { keepClient } from './kept-client.ts'
import { takeLoopbackAddress } from './loopback-address.ts'
import { makeScratchDirectory, removeScratchDirectory } from './scratch-directory.ts'
import {
  createPerson,
  readPersonState,
  setDefaultPolicy,
  setUserPassword,
  slapdAdminClient,
} from './slapd-admin.ts'
import {
  layOutSlapd,
  type PasswordScheme,
  SLAPD_ADMIN,
  SLAPD_BASE,
  SLAPD_POLICY,
  SLAPD_SERVICE_ACCOUNT,
  slapdProgram,
  slapdTemplate,
} from './slapd-template.ts'
import { testCa } from './test-ca.ts'

/** How a test server differs from the usual one: 7 characters, a history of 5, no lockout, no age. */
export interface SlapdOptions {
  /** Default `{SSHA}`. */
  readonly scheme?: PasswordScheme
  readonly policy?: DomainPolicy
  /** More attributes of the default policy, by their own names. */
  readonly policyValues?: Readonly<Record<string, string>>
  /** What it writes to its log: `none` (default), `stats`. */
  readonly log?: 'none' | 'stats'
}

/** A running server. All clients reach it at `url` and check its certificate for `serverName` (the address is named too). */
export interface SlapdServer {
  readonly kind: 'openldap'
  readonly address: string
  readonly port: 636
  readonly url: string
  readonly serverName: 'dc1.corp.test'
  readonly baseDn: string
  readonly peopleDn: string
  /** The rootdn of the data. */
  readonly adminDn: string
  readonly policyDn: string
  readonly serviceAccountDn: string
  /** What the service account binds as: its DN. */
  readonly serviceAccountName: string
  readonly caFile: string
  readonly directory: string
  /** Its own log. */
  readonly logFile: string
  readonly pid: number
  /** An ldapts client bound as `adminDn`, opened at the first call and again after a restart. */
  readonly admin: () => Promise<Client>
  readonly createUser: (user: NewUser) => Promise<CreatedUser>
  readonly readAccount: (dn: string) => Promise<AccountState>
  /** Sets a password as an administrator does, past the agent. */
  readonly setPassword: (dn: string, password: Buffer) => Promise<void>
  /** Changes the default policy. */
  readonly setPolicy: (policy: DomainPolicy, values?: Readonly<Record<string, string>>) => Promise<void>
  /** True when a simple bind of the DN with this password is accepted. A refused one counts as a failure. */
  readonly canBind: (dn: string, password: Buffer) => Promise<boolean>
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

/** Starts a fresh server. The caller stops it; when this process dies, the server ends with it. */
export async function startSlapdServer(options: SlapdOptions = {}): Promise<SlapdServer> {
  const [template, { caFile }, loopback] = await Promise.all([
    slapdTemplate(options.scheme ?? '{SSHA}'),
    testCa(),
    takeLoopbackAddress(),
  ])
  const directory = makeScratchDirectory()
  await layOutSlapd(template, directory)
  const { address } = loopback
  const url = `ldaps://${address}`
  const logFile = `${directory}/slapd.log`
  const start = () => startSlapd({ template, directory, url, logFile, log: options.log ?? 'none' })
  let child = await start()
  const admin = keepClient(() => slapdAdminClient(url))
  const setPolicy: SlapdServer['setPolicy'] = async (policy, values) =>
    setDefaultPolicy(await admin.client(), policy, values)
  await setPolicy(options.policy ?? {}, options.policyValues)
  return {
    kind: 'openldap',
    ...{ address, port: 636, url, serverName: 'dc1.corp.test', caFile, directory, logFile },
    ...{
      baseDn: SLAPD_BASE,
      peopleDn: `ou=People,${SLAPD_BASE}`,
      adminDn: SLAPD_ADMIN,
      policyDn: SLAPD_POLICY,
    },
    ...{ serviceAccountDn: SLAPD_SERVICE_ACCOUNT, serviceAccountName: SLAPD_SERVICE_ACCOUNT },
    get pid() {
      return child.pid
    },
    admin: admin.client,
    createUser: async (user) => createPerson(await admin.client(), user),
    readAccount: async (dn) => readPersonState(await admin.client(), dn),
    setPassword: async (dn, password) => setUserPassword(await admin.client(), dn, password),
    setPolicy,
    canBind: (dn, password) => canBind(url, dn, password),
    pause: () => child.pause(),
    resume: () => child.resume(),
    kill: async () => {
      await child.end('SIGKILL')
      await admin.close()
    },
    restart: async () => {
      await child.end('SIGKILL')
      await admin.close()
      child = await start()
    },
    stop: async () => {
      await admin.close()
      await child.end('SIGTERM')
      await loopback.release()
      await removeScratchDirectory(directory)
    },
  }
}

function startSlapd(place: {
  readonly template: string
  readonly directory: string
  readonly url: string
  readonly logFile: string
  readonly log: string
}): Promise<TestChild> {
  const { template, directory, url, logFile, log } = place
  return startReadyChild(
    {
      command: slapdProgram(template),
      args: ['-d', log === 'none' ? '0' : log, '-F', 'conf', '-h', `${url}/`],
      cwd: directory,
      outputFile: logFile,
    },
    () => answersRootRead(url),
  )
}
