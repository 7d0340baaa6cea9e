// The script that the container of install/compose starts, run here without a container: what the page
// docs/test-against-openldap.md promises is there, and is there again after a second start.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Client } from 'ldapts'
import { newPassword } from '../servers/canaries.ts'
import { startReadyChild, type TestChild } from '../servers/child-process.ts'
import { replaceAttribute } from '../servers/directory-admin.ts'
import { takeLoopbackAddress } from '../servers/loopback-address.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { slapdProgram, slapdTemplate } from '../servers/slapd-template.ts'

const INSTALL = path.resolve(import.meta.dirname, '../../install')
const SERVICE = 'uid=svc-writeback,ou=Services,dc=example,dc=org'
const ALICE = 'uid=alice,ou=People,dc=example,dc=org'
const directory = makeScratchDirectory()
const data = path.join(directory, 'ldap')
const output = path.join(directory, 'output')
let loopback: Awaited<ReturnType<typeof takeLoopbackAddress>>
let child: TestChild

const url = () => `ldaps://${loopback.address}:6361`

async function start(): Promise<void> {
  child = await startReadyChild(
    {
      command: 'sh',
      args: [path.join(INSTALL, 'compose', 'start.sh')],
      outputFile: output,
      env: {
        ...{
          DATA: data,
          LDIF: path.join(INSTALL, 'openldap'),
          LISTEN: `${url()}/`,
          ADDRESS: loopback.address,
        },
        MAKE_SERVER: path.join(INSTALL, 'compose', 'make-server.sh'),
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
