// Our own compact JWS beside another implementation, and what it refuses.
import { expect, test } from '@jest/globals'
import { CompactSign, type CryptoKey, compactVerify, exportJWK, generateKeyPair, importJWK } from 'jose'
import { keepSigner, signCompact, verifyCompact } from '../../src/protocol/compact-jws.ts'

const pair = await generateKeyPair('ES256', { extractable: true })
const stranger = await generateKeyPair('ES256', { extractable: true })
const HEADER = { alg: 'ES256', typ: 'wb-outcome+jws', kid: 'k' }
const bytes = new TextEncoder().encode('{"a":"ä"}')
const findKey = async () => pair.publicKey
const signed = await signCompact(bytes, HEADER, pair.privateKey)
const [head = '', payload = '', signature = ''] = signed.split('.')
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('jose verifies what is signed here, and what jose signs is verified here', async () => {
  const theirs = await compactVerify(signed, pair.publicKey, { algorithms: ['ES256'] })
  expect([Buffer.from(theirs.payload), theirs.protectedHeader]).toEqual([Buffer.from(bytes), HEADER])
  const foreign = await new CompactSign(bytes).setProtectedHeader(HEADER).sign(pair.privateKey)
  expect(await verifyCompact(foreign, findKey)).toEqual({ payload: Buffer.from(bytes), header: HEADER })
})

test('a key that cannot be taken out signs here when it was kept', async () => {
  const jwk = await exportJWK(pair.privateKey)
  const key = (await importJWK(jwk, 'ES256', { extractable: false })) as CryptoKey
  keepSigner(key, jwk)
  expect((await verifyCompact(await signCompact(bytes, HEADER, key), findKey)).header).toEqual(HEADER)
})

test.each<[what: string, jws: string]>([
  ['a signature by another key', await signCompact(bytes, HEADER, stranger.privateKey)],
  ['another payload', `${head}.${Buffer.from('{}').toString('base64url')}.${signature}`],
  ['another header', `${encode({ ...HEADER, kid: 'l' })}.${payload}.${signature}`],
  ['no algorithm', `${encode({ ...HEADER, alg: 'none' })}.${payload}.${signature}`],
  ['another algorithm', `${encode({ ...HEADER, alg: 'HS256' })}.${payload}.${signature}`],
  ['a header that is no object', `${encode([HEADER])}.${payload}.${signature}`],
  ['a header that is no JSON', `${Buffer.from('{').toString('base64url')}.${payload}.${signature}`],
  ['a cut signature', `${head}.${payload}.${signature.slice(0, 84)}`],
  ['a signature of zeros', `${head}.${payload}.${Buffer.alloc(64).toString('base64url')}`],
  ['another spelling of the signature', `${head}.${payload}.${signature}=`],
  ['two parts', `${head}.${payload}`],
  ['four parts', `${signed}.${signature}`],
])('refuses %s', async (_what, jws) => {
  await expect(verifyCompact(jws, findKey)).rejects.toMatchObject({
    code: expect.stringMatching(/^ERR_JW|^ERR_JOSE/),
  })
})

test('refuses bits behind the end of the signature, which decode to the same bytes', async () => {
  // 64 bytes end in four bits that nobody reads.
  const last = signature.at(-1) ?? ''
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const other = `${signature.slice(0, -1)}${alphabet[alphabet.indexOf(last) ^ 1]}`
  expect(Buffer.from(other, 'base64url')).toEqual(Buffer.from(signature, 'base64url'))
  await expect(verifyCompact(`${head}.${payload}.${other}`, findKey)).rejects.toThrow('base64url')
})

test('takes keys of P-256 only, and public ones to verify', async () => {
  const other = await generateKeyPair('ES384', { extractable: true })
  await expect(signCompact(bytes, HEADER, other.privateKey)).rejects.toThrow(TypeError)
  await expect(verifyCompact(signed, async () => other.publicKey)).rejects.toThrow(TypeError)
  await expect(verifyCompact(signed, async () => pair.privateKey)).rejects.toThrow(TypeError)
})
