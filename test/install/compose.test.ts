// The container of install/compose without a container: its files are laid out as the container file says, its script is started
// from there with the settings of compose.yaml, and what the page docs/test-against-openldap.md promises is there, also after a
// second start. Paths, ports and volume of the three files are held against each other.
import { cpSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Client } from 'ldapts'
import { parse } from 'yaml'
import { newPassword } from '../servers/canaries.ts'
import { startReadyChild, type TestChild } from '../servers/child-process.ts'
import { replaceAttribute } from '../servers/directory-admin.ts'
import { takeLoopbackAddress } from '../servers/loopback-address.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { slapdProgram, slapdTemplate } from '../servers/slapd-template.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const COMPOSE = path.join(ROOT, 'install/compose')
const SERVICE = 'uid=svc-writeback,ou=Services,dc=example,dc=org'
const ALICE = 'uid=alice,ou=People,dc=example,dc=org'
const directory = makeScratchDirectory()
/** Where the container file puts what is `/` to it. */
const image = path.join(directory, 'image')
const data = path.join(directory, 'ldap')
const output = path.join(directory, 'output')
let loopback: Awaited<ReturnType<typeof takeLoopbackAddress>>
let child: TestChild

/** The instructions of the container file, each in one line. */
const instructions = readFileSync(path.join(COMPOSE, 'openldap.Containerfile'), 'utf8')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
const said = (word: string) =>
  instructions.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []))
const { services } = parse(readFileSync(path.join(COMPOSE, 'compose.yaml'), 'utf8')) as {
  services: {
    openldap: {
      build: { context: string; dockerfile: string }
      environment: Record<string, string>
      ports: string[]
      volumes: string[]
    }
  }
}
const { build, environment, ports, volumes } = services.openldap
const context = path.resolve(COMPOSE, build.context)
const script = readFileSync(path.join(COMPOSE, 'start.sh'), 'utf8')
/** What a word of the environment is to the script where nobody sets it. */
const unset = (name: string) => new RegExp(`^${name}=\\$\\{${name}:-(.*)\\}$`, 'm').exec(script)?.[1] ?? ''

/** COPY: files into a directory, which ends with a slash, or what is in one directory. */
function layOut(): void {
  for (const words of said('COPY').map((line) => line.split(' '))) {
    const to = path.join(image, words.at(-1) ?? '')
    for (const from of words.slice(0, -1).map((name) => path.join(context, name)))
      cpSync(from, statSync(from).isFile() ? path.join(to, path.basename(from)) : to, { recursive: true })
  }
}

const url = () => `ldaps://${loopback.address}:6361`

async function start(): Promise<void> {
  const [shell = '', first = ''] = JSON.parse(said('ENTRYPOINT')[0] ?? '[]') as string[]
  child = await startReadyChild(
    {
      command: shell,
      args: [path.join(image, first)],
      outputFile: output,
      env: {
        ...{
          ...environment,
          DATA: data,
          LDIF: path.join(image, unset('LDIF')),
          LISTEN: `${url()}/`,
          ADDRESS: loopback.address,
        },
        MAKE_SERVER: path.join(image, unset('MAKE_SERVER')),
        SLAPD: slapdProgram(await slapdTemplate('{SSHA}')),
      },
    },
    () => bound(SERVICE, servicePassword).then(unbind, () => false),
  )
}

const servicePassword = () => readFileSync(path.join(data, 'public', 'bind-password'))
const unbind = async (client: Client) => {
  await client.unbind()
  return true
}

async function bound(dn: string, password: () => Buffer): Promise<Client> {
  const ca = readFileSync(path.join(data, 'public', 'ca.crt'))
  const client = new Client({ url: url(), timeout: 5_000, tlsOptions: { ca } })
  await client.bind(dn, password().toString())
  return client
}

beforeAll(async () => {
  loopback = await takeLoopbackAddress()
  layOut()
  await start()
}, 30_000)
afterAll(async () => {
  await child?.end('SIGTERM')
  await loopback?.release()
  await removeScratchDirectory(directory)
})

test('the first start makes certificates, service account and alice, and tells her anchor', async () => {
  const [, anchor] = /alice has the anchor (\S+)/.exec(readFileSync(output, 'utf8')) ?? []
  const service = await bound(SERVICE, servicePassword)
  const { searchEntries } = await service.search('dc=example,dc=org', { filter: `(entryUUID=${anchor})` })
  expect(searchEntries).toMatchObject([{ dn: ALICE }])
  expect(readFileSync(path.join(data, 'public', 'alice-anchor'), 'utf8')).toBe(`${anchor}\n`)
  await replaceAttribute(service, ALICE, 'userPassword', [newPassword()])
  await service.unbind()
  expect(await bound(ALICE, newPassword).then(unbind)).toBe(true)
})

test('the next start finds all of that', async () => {
  await child.end('SIGTERM')
  await start()
  expect(await bound(ALICE, newPassword).then(unbind)).toBe(true)
  const anchors = readFileSync(output, 'utf8').match(/alice has the anchor \S+/g) ?? []
  expect(anchors).toHaveLength(2)
  expect(new Set(anchors).size).toBe(1)
})

test('container file, compose.yaml and script speak of the same places, ports and settings', () => {
  expect([context, path.join(context, build.dockerfile)]).toEqual([
    ROOT,
    path.join(COMPOSE, 'openldap.Containerfile'),
  ])
  expect(said('VOLUME')).toEqual([unset('DATA')])
  expect(volumes).toEqual([`./ldap:${unset('DATA')}`])
  // An ldaps URL without a host and a port: every address of the container, port 636.
  expect(unset('LISTEN')).toBe('ldaps:///')
  expect(said('EXPOSE')).toEqual(['636'])
  expect(ports).toEqual(['127.0.0.1:6361:636'])
  for (const name of Object.keys(environment)) expect(unset(name)).toBe(environment[name])
  const [installed = ''] = said('RUN')
  for (const name of ['slapd', 'ldap-utils', 'openssl']) expect(installed.split(' ')).toContain(name)
})

test('the page names the ports, names and files that there are, and what of it nobody ran', () => {
  const page = readFileSync(path.join(ROOT, 'docs/test-against-openldap.md'), 'utf8')
  const [, port = ''] = /:(\d+):/.exec(ports[0] ?? '') ?? []
  expect(page).toContain(`servers: [ldaps://127.0.0.1:${port}]`)
  expect(page).toContain(`name: ${SERVICE}`)
  expect(page).toContain(`-D ${ALICE}`)
  expect(page).toMatch(/`compose\.yaml` themselves were \*\*not\*\* run\s+by the project/)
  for (const [, file = ''] of page.matchAll(/^\| `([\w/.-]+)` \|/gm))
    expect(statSync(path.join(data, file)).isFile()).toBe(true)
})
