// A certificate authority for tests, and server certificates from it: good, expired, and from a CA nobody trusts.
// Certificate checks stay on in every test; these files are what makes that possible.
import { chmod, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { builtOnce } from './built-once.ts'
import { runCommand } from './child-process.ts'
import { LOOPBACK_ADDRESSES } from './loopback-address.ts'

/** A server certificate with its key, and the CA to give to clients. All are PEM files. */
export interface ServerCertificate {
  readonly certFile: string
  /** Mode 0600: Samba refuses to start with a key that others can read. */
  readonly keyFile: string
}

/** The files of the test CA. */
export interface TestCa {
  /** What a client must trust. */
  readonly caFile: string
  readonly server: ServerCertificate
  /** Same names, but it ended in the past. */
  readonly expired: ServerCertificate
  /** Same names, but from another CA, whose certificate is in `strangerCaFile`. */
  readonly stranger: ServerCertificate
  readonly strangerCaFile: string
  /** Diffie-Hellman parameters; without them Samba searches a prime at every start. */
  readonly dhFile: string
}

const NAMES = ['localhost', 'dc1.corp.test', 'dc2.corp.test', 'corp.test', '*.corp.test']
const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3', ...LOOPBACK_ADDRESSES]

/** The test CA of this machine, made at the first call (about 0.2 s). */
export async function testCa(): Promise<TestCa> {
  const directory = await builtOnce('ca-1', buildCa)
  const file = (name: string) => path.join(directory, name)
  const certificate = (name: string) => ({ certFile: file(`${name}.crt`), keyFile: file(`${name}.key`) })
  return {
    caFile: file('ca.crt'),
    server: certificate('server'),
    expired: certificate('expired'),
    stranger: certificate('stranger'),
    strangerCaFile: file('stranger-ca.crt'),
    dhFile: file('dh.pem'),
  }
}

/**
 * Issues one more server certificate from the test CA into `directory`, for names and addresses of the caller's choice.
 * `days` may be negative: the certificate then has ended.
 */
export async function issueServerCertificate(options: {
  readonly directory: string
  readonly name: string
  readonly dnsNames: readonly string[]
  readonly addresses?: readonly string[]
  readonly days?: number
}): Promise<ServerCertificate> {
  const ca = await testCa()
  return issue(options.directory, options.name, path.dirname(ca.caFile), {
    ca: 'ca',
    names: subjectAltNames(options.dnsNames, options.addresses ?? []),
    days: options.days ?? 3650,
  })
}

async function buildCa(directory: string): Promise<void> {
  const names = subjectAltNames(NAMES, ADDRESSES)
  await Promise.all([makeAuthority(directory, 'ca'), makeAuthority(directory, 'stranger-ca')])
  await Promise.all([
    issue(directory, 'server', directory, { ca: 'ca', names, days: 3650 }),
    issue(directory, 'expired', directory, { ca: 'ca', names, days: -1 }),
    issue(directory, 'stranger', directory, { ca: 'stranger-ca', names, days: 3650 }),
    runCommand(
      'openssl',
      ['genpkey', '-genparam', '-algorithm', 'DH', '-pkeyopt', 'group:ffdhe2048', '-out', 'dh.pem'],
      {
        cwd: directory,
      },
    ),
  ])
}

const subjectAltNames = (dnsNames: readonly string[], addresses: readonly string[]): string =>
  [...dnsNames.map((name) => `DNS:${name}`), ...addresses.map((address) => `IP:${address}`)].join(',')

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const

async function makeAuthority(directory: string, name: string): Promise<void> {
  const constraints = [
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'keyUsage=critical,keyCertSign,cRLSign',
  ]
  const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`]
  await runCommand(
    'openssl',
    [
      'req',
      '-x509',
      '-new',
      ...KEY,
      '-sha256',
      '-days',
      '3650',
      '-subj',
      `/CN=Test CA ${name}`,
      ...constraints,
      ...files,
    ],
    { cwd: directory },
  )
  await chmod(path.join(directory, `${name}.key`), 0o600)
}

async function issue(
  directory: string,
  name: string,
  caDirectory: string,
  wish: { readonly ca: string; readonly names: string; readonly days: number },
): Promise<ServerCertificate> {
  const file = (ending: string) => path.join(directory, `${name}.${ending}`)
  const extensions =
    'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n' +
    `subjectAltName=${wish.names}\n`
  await writeFile(file('ext'), extensions)
  await runCommand('openssl', [
    'req',
    '-new',
    ...KEY,
    '-keyout',
    file('key'),
    '-subj',
    `/CN=${name}.test`,
    '-out',
    file('csr'),
  ])
  await chmod(file('key'), 0o600)
  const issuer = [
    '-CA',
    path.join(caDirectory, `${wish.ca}.crt`),
    '-CAkey',
    path.join(caDirectory, `${wish.ca}.key`),
  ]
  const serial = ['-set_serial', `0x${crypto.getRandomValues(Buffer.alloc(8)).toString('hex')}`]
  const output = ['-extfile', file('ext'), '-out', file('crt')]
  const length = ['-days', String(wish.days), '-sha256']
  await runCommand('openssl', [
    'x509',
    '-req',
    '-in',
    file('csr'),
    ...issuer,
    ...serial,
    ...length,
    ...output,
  ])
  return { certFile: file('crt'), keyFile: file('key') }
}
