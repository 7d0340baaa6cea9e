// Random Unicode passwords, written by reset and by change, and bound with unchanged: 120, or 5,000 with WRITEBACK_FULL=1.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Client } from 'ldapts'
import type { Effect, WriterSession } from '../../../src/agent/directory/directory.ts'
import { oldPassword } from '../../servers/canaries.ts'
import { type CreatedUser, ldapClient, replaceAttribute } from '../../servers/directory-admin.ts'
import { type SambaDomain, startSambaDomain } from '../../servers/samba-domain.ts'
import { clear, openedDirectories, writeOf } from './opened-directories.ts'

const COUNT = process.env['WRITEBACK_FULL'] === '1' ? 5000 : 120
const LANES = 4
const directories = openedDirectories()
// Nearly all of the time is the domain controller deriving Kerberos keys, one password after the other: so there are two.
let domains: readonly SambaDomain[] = []
beforeAll(async () => {
  domains = await Promise.all([startLenientDomain(), startLenientDomain()])
})
afterAll(async () => {
  await directories.closeAll()
  for (const domain of domains) await domain.stop()
})

async function startLenientDomain(): Promise<SambaDomain> {
  const policy = { minPasswordLength: 0, minPasswordAgeMs: 0, passwordHistoryLength: 0 }
  const domain = await startSambaDomain({ policy })
  await replaceAttribute(await domain.admin(), domain.baseDn, 'pwdProperties', ['0'])
  return domain
}

// Any character but NUL; up to the 256 UTF-16 units that Windows takes.
const anyPassword = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 24 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 24 }),
    fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 256 }),
    fc.string({ unit: 'binary', minLength: 100, maxLength: 128 }),
  )
  .map((text) => text.replaceAll('\0', '0'))
  .filter((text) => text.length <= 256)

/** One user's passwords, one after the other: resets and changes in turn, and a bind after each. */
async function runLane(
  domain: SambaDomain,
  user: CreatedUser,
  passwords: readonly string[],
): Promise<string[]> {
  const writer: WriterSession = await directories.open(domain).writer()
  const client: Client = await ldapClient(domain.url, 20_000)
  const wrong: string[] = []
  let current = oldPassword().toString()
  let markerBefore: string | undefined
  for (const [at, password] of passwords.entries()) {
    const effect: Effect =
      at % 2 === 0
        ? { kind: 'reset', password: clear(password), unlock: false, mustChange: false }
        : { kind: 'change', oldPassword: clear(current), newPassword: clear(password) }
    const markerAfter = `wb1:00000000:${at}:a`
    const answer = await writer.write(writeOf(user.objectGuid, effect, { markerBefore, markerAfter }))
    const bound = await client.bind(user.dn, password).then(() => 'bound', String)
    if (answer.kind !== 'accepted' || bound !== 'bound')
      wrong.push(JSON.stringify([effect.kind, password, answer, bound]))
    current = password
    markerBefore = markerAfter
  }
  // That a bind is refused at all, by one character.
  await expect(client.bind(user.dn, `${current}x`)).rejects.toMatchObject({ code: 49 })
  await client.unbind()
  return wrong
}

test(`${COUNT} random passwords are set and bound unchanged`, async () => {
  const seed = Date.now() % 2 ** 31
  const passwords = fc.sample(anyPassword, { seed, numRuns: COUNT })
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    const domain = domains[lane % domains.length] as SambaDomain
    const user = await domain.createUser({ name: `lane ${lane}` })
    return runLane(
      domain,
      user,
      passwords.filter((_password, at) => at % LANES === lane),
    )
  })
  process.stdout.write(`random passwords: ${COUNT}, seed ${seed}\n`)
  expect((await Promise.all(lanes)).flat()).toEqual([])
}, 1_800_000)
