// Sealing: any password of a directory goes through unchanged, its length does not show, and what no directory could
// take is refused before it is sealed.
import { KeyObject } from 'node:crypto'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { FlattenedEncrypt, generateKeyPair } from 'jose'
import {
  checkPassword,
  openSealed,
  sealPasswords,
  splitPasswords,
} from '../../src/protocol/sealed-password.ts'

const to = {
  requestId: '019aa5b8-4c00-7d11-9a3e-0123456789ab',
  operation: 'reset' as const,
  anchor: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
  directory: 'corp',
  expiresAt: 1,
}
const { publicKey, privateKey } = await generateKeyPair('ECDH-ES+A256KW', {
  ...{ crv: 'P-256', extractable: true },
})
const recipient = { kid: 'k', key: publicKey }
const opener = { kid: 'k', key: KeyObject.from(privateKey as never) }

test('any Unicode password comes out as it went in', async () => {
  const password = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 200 })
    .filter((text) => text.isWellFormed() && !text.includes('\0'))
  await fc.assert(
    fc.asyncProperty(password, async (text) => {
      const sealed = await sealPasswords([Buffer.from(text)], to, [recipient])
      const content = await openSealed(sealed, opener, to)
      expect(splitPasswords(content, 'reset').map(String)).toEqual([text])
    }),
    { numRuns: 60 },
  )
})

/** The same text with one character in its middle changed. */
const changed = (text = '') => text.slice(0, 20) + (text[20] === 'A' ? 'B' : 'A') + text.slice(21)

test('another ephemeral key, a point beside the curve, a changed or a cut wrapped key do not open', async () => {
  const sealed = await sealPasswords([Buffer.from('a')], to, [recipient])
  const [mine] = sealed.recipients
  const other = (await sealPasswords([Buffer.from('a')], to, [recipient])).recipients[0]
  if (!mine?.header.epk || !other) throw new Error('sealed to nobody')
  const { header, encrypted_key } = mine
  for (const wrong of [
    { ...mine, header: other.header },
    { ...mine, header: { ...header, epk: { ...mine.header.epk, y: changed(mine.header.epk.y) } } },
    { header, encrypted_key: changed(encrypted_key) },
    { header, encrypted_key: encrypted_key.slice(0, -4) },
    { ...mine, header: { alg: header.alg, kid: header.kid } },
  ])
    await expect(openSealed({ ...sealed, recipients: [wrong] }, opener, to)).rejects.toMatchObject({
      code: 'ERR_SEALED_INVALID',
    })
  expect((await openSealed(sealed, opener, to)).length).toBe(2048)
})

test('what another library sealed to one recipient, with its key in the protected header, opens; with two such keys it does not', async () => {
  const { requestId, operation, anchor, directory, expiresAt } = to
  const { header, encrypted_key, ...shared } = await new FlattenedEncrypt(Buffer.alloc(2048))
    .setProtectedHeader({
      ...{ enc: 'A256GCM', wbid: requestId, op: operation, sub: anchor, dir: directory, exp: expiresAt },
    })
    .setUnprotectedHeader({ alg: 'ECDH-ES+A256KW', kid: 'k' })
    .encrypt(publicKey)
  const own = JSON.parse(Buffer.from(shared.protected ?? '', 'base64url').toString())
  expect(own.epk).toBeDefined()
  const sealedWith = (more: object) =>
    ({ ...shared, recipients: [{ header: { ...header, ...more }, encrypted_key }] }) as never
  expect(await openSealed(sealedWith({}), opener, to)).toEqual(Buffer.alloc(2048))
  await expect(openSealed(sealedWith({ epk: own.epk }), opener, to)).rejects.toMatchObject({
    code: 'ERR_SEALED_INVALID',
  })
})

test('a short and a long password are sealed to the same length', async () => {
  const lengths = await Promise.all(
    ['a', 'ü'.repeat(500)].map(
      async (text) => (await sealPasswords([Buffer.from(text)], to, [recipient])).ciphertext.length,
    ),
  )
  expect(lengths[0]).toBe(lengths[1])
})

test.each([
  ['an empty one', Buffer.alloc(0)],
  ['a NUL', Buffer.from('a\0b')],
  ['a lone surrogate', Buffer.from('eda080', 'hex')],
  ['bytes that are not UTF-8', Buffer.from('ff', 'hex')],
  ['more than fits', Buffer.alloc(1023, 0x61)],
])('refuses %s before sealing', async (_, password) => {
  expect(() => checkPassword(password)).toThrow(
    expect.objectContaining({ code: 'ERR_PASSWORD_UNREPRESENTABLE' }),
  )
  await expect(sealPasswords([password], to, [recipient])).rejects.toMatchObject({
    code: 'ERR_PASSWORD_UNREPRESENTABLE',
  })
})

test('refuses the wrong number of passwords for the operation', async () => {
  await expect(sealPasswords([Buffer.from('a'), Buffer.from('b')], to, [recipient])).rejects.toMatchObject({
    code: 'ERR_PASSWORD_UNREPRESENTABLE',
  })
})

test('content that is cut, padded wrongly or of another length is refused', () => {
  const content = (bytes: number[], length = 2048) =>
    Buffer.concat([Buffer.from(bytes), Buffer.alloc(length)]).subarray(0, length)
  const refused = expect.objectContaining({ code: 'ERR_SEALED_INVALID' })
  expect(() => splitPasswords(content([0x08, 0x00, 0x61]), 'reset')).toThrow(refused)
  expect(() => splitPasswords(content([0x00, 0x01, 0x61, 0x62]), 'reset')).toThrow(refused)
  expect(() => splitPasswords(content([0x00, 0x01, 0x61], 100), 'reset')).toThrow(refused)
  expect(splitPasswords(content([0x00, 0x01, 0x61]), 'reset').map(String)).toEqual(['a'])
})

test('random content never throws anything but a stable code', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 0, maxLength: 64 }),
      fc.constantFrom('reset', 'change'),
      (bytes, operation) => {
        const content = Buffer.concat([Buffer.from(bytes), Buffer.alloc(2048)]).subarray(0, 2048)
        try {
          splitPasswords(content, operation as 'reset')
        } catch (error) {
          expect(['ERR_SEALED_INVALID', 'ERR_PASSWORD_UNREPRESENTABLE']).toContain(
            (error as { code?: string }).code,
          )
        }
      },
    ),
  )
})
