// The test domain itself: what later tests take for granted.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Attribute, Change, Client } from 'ldapts'
import { newPassword, oldPassword, servicePassword, wrongPassword } from './canaries.ts'
import { bareEnvironment, isAlive, runCommand } from './child-process.ts'
import { ldapClient, replaceAttribute, unicodePwd } from './directory-admin.ts'
import { type SambaDomain, startSambaDomain } from './samba-domain.ts'
import { issueServerCertificate, testCa } from './test-ca.ts'

let domain: SambaDomain
beforeAll(async () => {
  domain = await startSambaDomain({ services: 'ldap, kdc', policy: { lockoutThreshold: 3 } })
})
afterAll(() => domain.stop())

const reset = (password: Buffer): Change =>
  new Change({
    operation: 'replace',
    modification: new Attribute({ type: 'unicodePwd', values: [unicodePwd(password)] }),
  })
const set = (type: string, value: string): Change =>
  new Change({ operation: 'replace', modification: new Attribute({ type, values: [value] }) })

test('a created user signs in by bind and by kinit, whatever its name', async () => {
  const user = await domain.createUser({ name: ' #Ann, "the" <1st>; a+b=c/d\\ ' })
  expect(await domain.canBind(user.dn, oldPassword())).toBe(true)
  expect(await domain.canBind(user.principal, wrongPassword())).toBe(false)
  await runCommand(
    'kinit',
    ['-c', `${domain.directory}/ccache`, user.principal.replace('@corp.test', '@CORP.TEST')],
    {
      input: `${oldPassword()}\n`,
      env: { KRB5_CONFIG: domain.krb5ConfigFile },
    },
  )
  expect(user.objectGuid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
})

test('an account locks at the threshold, and the service account resets and unlocks it in one modify', async () => {
  const user = await domain.createUser({ name: 'locked' })
  for (let i = 0; i < 3; i += 1) await domain.canBind(user.dn, wrongPassword())
  expect(await domain.readAccount(user.dn)).toMatchObject({ badPwdCount: 3, locked: true })
  expect(await domain.canBind(user.dn, oldPassword())).toBe(false)

  const service = await ldapClient(domain.url)
  await service.bind(domain.serviceAccountDn, servicePassword().toString())
  await service.modify(`<GUID=${user.objectGuid}>`, [
    reset(newPassword()),
    set('lockoutTime', '0'),
    set('pwdLastSet', '0'),
    set('adminDisplayName', 'marker'),
  ])
  await service.unbind()
  expect(await domain.readAccount(user.dn)).toMatchObject({
    badPwdCount: 0,
    lockoutTime: 0n,
    pwdLastSet: 0n,
    locked: false,
    marker: 'marker',
  })
  await replaceAttribute(await domain.admin(), user.dn, 'pwdLastSet', ['-1'])
  expect(await domain.canBind(user.dn, newPassword())).toBe(true)
  expect(await domain.canBind(user.dn, oldPassword())).toBe(false)
})

test('the service account has no right outside its organisational unit', async () => {
  const user = await domain.createUser({ name: 'outsider', ou: 'Outside' })
  const service = await ldapClient(domain.url)
  await service.bind(domain.serviceAccountName, servicePassword().toString())
  await expect(service.modify(user.dn, reset(newPassword()))).rejects.toMatchObject({ code: 50 })
  await service.unbind()
})

test('rights can be given one by one, an account protected, and a password aged', async () => {
  const [helper, user, admin] = await Promise.all(
    ['helper', 'delegated', 'protected'].map((name) => domain.createUser({ name })),
  )
  if (!helper || !user || !admin) throw new Error('three users were asked for')
  await domain.edit(
    { edit: 'delegate', account: helper.dn, ou: domain.peopleDn, rights: ['resetPassword'] },
    { edit: 'protect', dn: admin.dn },
    { edit: 'password_age', dn: user.dn, days: 60 },
  )
  expect(await domain.canBind(user.dn, oldPassword())).toBe(false)
  const client = await ldapClient(domain.url)
  await client.bind(helper.dn, oldPassword().toString())
  await client.modify(user.dn, reset(newPassword()))
  await expect(client.modify(user.dn, set('lockoutTime', '0'))).rejects.toMatchObject({ code: 50 })
  await expect(client.modify(admin.dn, reset(newPassword()))).rejects.toMatchObject({ code: 50 })
  await client.unbind()
  expect(await domain.canBind(user.dn, newPassword())).toBe(true)
})

test('a killed domain comes back with its data, a paused one answers nothing', async () => {
  const other = await startSambaDomain()
  try {
    expect(other.address).not.toBe(domain.address)
    const user = await other.createUser({ name: 'kept' })
    await other.kill()
    await expect(other.canBind(user.dn, oldPassword())).rejects.toThrow()
    await other.restart()
    expect(await other.canBind(user.dn, oldPassword())).toBe(true)
    other.pause()
    const client = await ldapClient(other.url, 300)
    await expect(client.bind(user.dn, oldPassword().toString())).rejects.toThrow(/time/i)
    await client.unbind().catch(() => undefined)
    other.resume()
    expect(await other.canBind(user.dn, oldPassword())).toBe(true)
  } finally {
    await other.stop()
  }
})

test.each(['running', 'stopped'])(
  'a %s domain ends when its parent is killed with SIGKILL',
  async (state) => {
    const module = fileURLToPath(new URL('samba-domain.ts', import.meta.url))
    const program = `
    const { startSambaDomain } = await import(${JSON.stringify(module)})
    const domain = await startSambaDomain({ model: 'prefork' })
    ${state === 'stopped' ? 'domain.pause()' : ''}
    console.log(domain.pid)
    setInterval(() => {}, 1000)`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: bareEnvironment(),
    })
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    const processes = await runCommand('ps', ['-o', 'pid=', '-g', String(pid)])
    const pids = processes.trim().split(/\s+/).map(Number)
    expect(pids.length).toBeGreaterThan(1)
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    const end = performance.now() + 5_000
    const left = () => pids.filter(isAlive)
    while (left().length > 0 && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 20))
    expect(left()).toEqual([])
  },
)

test('expired and foreign certificates, and wrong names, are told apart', async () => {
  const { createServer, connect } = await import('node:tls')
  const ca = await testCa()
  const elsewhere = await issueServerCertificate({
    directory: domain.directory,
    name: 'else',
    dnsNames: ['else.test'],
  })
  const codeOf = async (files: { certFile: string; keyFile: string }): Promise<unknown> => {
    const server = createServer({ cert: await readFile(files.certFile), key: await readFile(files.keyFile) })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const trusted = await readFile(ca.caFile)
    const code = await new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, ca: trusted }, () => {
        resolve('accepted')
        socket.destroy()
      })
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    })
    server.close()
    return code
  }
  expect(await codeOf(ca.server)).toBe('accepted')
  expect(await codeOf(ca.expired)).toBe('CERT_HAS_EXPIRED')
  expect(await codeOf(ca.stranger)).toMatch(/UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT_LOCALLY)/)
  expect(await codeOf(elsewhere)).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
  const client = new Client({ url: domain.url, tlsOptions: { ca: await readFile(ca.strangerCaFile) } })
  await expect(client.search('', { scope: 'base' })).rejects.toThrow(/certificate/)
})
