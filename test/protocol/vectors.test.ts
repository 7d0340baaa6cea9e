// The contract against its own vectors: what another implementation would read is what this one reads.
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { CompactSign, type CryptoKey, importJWK } from 'jose'
import { signAgentCall, verifyAgentCall } from '../../src/protocol/agent-token.ts'
import { signCompact } from '../../src/protocol/compact-jws.ts'
import { parseEnrolmentCode, verifyEnrolled, verifyIdentityProof } from '../../src/protocol/enrolment.ts'
import { formatMarker, type Marker, parseMarker } from '../../src/protocol/marker.ts'
import { verifyOutcome } from '../../src/protocol/outcome.ts'
import { verifyRequest } from '../../src/protocol/request-document.ts'
import { openSealed, splitPasswords } from '../../src/protocol/sealed-password.ts'
import { verifySealingKey } from '../../src/protocol/sealing-key.ts'
import { parseStrictJson } from '../../src/protocol/strict-json.ts'

const vector = (name: string) =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'))
const keys = vector('keys')
const publicOf = ({ d: _, ...key }: Record<string, string>) => key as never
const imported = async (key: { alg: string }) => (await importJWK(key as never, key.alg)) as CryptoKey
const opening = (key: Record<string, string>) => createPrivateKey({ key, format: 'jwk' })
const findStoreKey = async (kid: string) =>
  kid === keys.storeSigning.kid ? imported(publicOf(keys.storeSigning)) : undefined
const findAgentKey = async (kid: string) =>
  kid === keys.agentIdentity.kid ? imported(publicOf(keys.agentIdentity)) : undefined

/** The same compact JWS with one character of one part changed. */
function tampered(jws: string, part: 0 | 1 | 2): string {
  const parts = jws.split('.')
  const text = parts[part] ?? ''
  const middle = Math.floor(text.length / 2)
  parts[part] = text.slice(0, middle) + (text[middle] === 'A' ? 'B' : 'A') + text.slice(middle + 1)
  return parts.join('.')
}

describe('request document', () => {
  const { jws } = vector('request-document')
  test.each([
    'request-document',
    'request-document-change',
    'request-document-unlock',
    'request-document-inspect',
  ])('%s verifies and reads as written', async (name) => {
    const { jws, document } = vector(name)
    expect(await verifyRequest(jws, findStoreKey)).toEqual(document)
  })
  test('of a change opens to both passwords', async () => {
    const { document } = vector('request-document-change')
    const { id: requestId, operation, subject, directory, expiresAt } = document
    const key = { kid: keys.agentSealing.kid, key: opening(keys.agentSealing) }
    const sealedFor = { requestId, operation, anchor: subject.anchor, directory, expiresAt }
    const content = await openSealed(document.sealed, key, sealedFor)
    expect(splitPasswords(content, operation)).toHaveLength(2)
  })
  test.each([0, 1, 2] as const)('is refused with one character of part %i changed', async (part) => {
    await expect(verifyRequest(tampered(jws, part), findStoreKey)).rejects.toMatchObject({
      name: 'WritebackError',
    })
  })
  test('is refused when the signer is not known', async () => {
    await expect(verifyRequest(jws, () => undefined)).rejects.toMatchObject({ code: 'ERR_SIGNATURE_INVALID' })
  })
  test('is refused when another kind of message was signed with the right key', async () => {
    const { jws: outcomeJws } = vector('outcome')
    await expect(verifyRequest(outcomeJws, findAgentKey)).rejects.toMatchObject({
      code: 'ERR_SIGNATURE_INVALID',
    })
  })
})

describe('sealed value', () => {
  test.each(['sealed-reset', 'sealed-change'])('%s opens to its passwords, byte for byte', async (name) => {
    const { sealed, sealedFor, passwordsUtf8Hex } = vector(name)
    const key = { kid: keys.agentSealing.kid, key: opening(keys.agentSealing) }
    const content = await openSealed(sealed, key, sealedFor)
    expect(content.length).toBe(2048)
    expect(splitPasswords(content, sealedFor.operation).map((one) => one.toString('hex'))).toEqual(
      passwordsUtf8Hex,
    )
  })
  test('opens for every recipient', async () => {
    const { sealed, sealedFor } = vector('sealed-reset')
    const key = { kid: keys.otherAgentSealing.kid, key: opening(keys.otherAgentSealing) }
    expect((await openSealed(sealed, key, sealedFor)).length).toBe(2048)
  })
  test.each([
    ['requestId', '019aa5b8-4c00-7d11-9a3e-0123456789ac'],
    ['operation', 'change'],
    ['anchor', '00000000-0000-0000-0000-000000000000'],
    ['directory', 'other'],
    ['expiresAt', 1],
  ])('is refused for another %s', async (field, value) => {
    const { sealed, sealedFor } = vector('sealed-reset')
    const key = { kid: keys.agentSealing.kid, key: opening(keys.agentSealing) }
    await expect(openSealed(sealed, key, { ...sealedFor, [field]: value })).rejects.toMatchObject({
      code: 'ERR_SEALED_INVALID',
    })
  })
  test.each(['protected', 'iv', 'ciphertext', 'tag'])('is refused with its %s changed', async (field) => {
    const { sealed, sealedFor } = vector('sealed-reset')
    const key = { kid: keys.agentSealing.kid, key: opening(keys.agentSealing) }
    const text = sealed[field] as string
    const changed = text.slice(0, -2) + (text.at(-2) === 'A' ? 'B' : 'A') + text.slice(-1)
    await expect(openSealed({ ...sealed, [field]: changed }, key, sealedFor)).rejects.toMatchObject({
      code: 'ERR_SEALED_INVALID',
    })
  })
})

describe('marker', () => {
  const { valid, invalid } = vector('markers')
  test.each(valid as { text: string; marker: Marker }[])('reads $text', ({ text, marker }) => {
    expect(parseMarker(text)).toEqual(marker)
    expect(formatMarker(marker)).toBe(text.toLowerCase())
  })
  test.each(invalid as string[])('does not take %j for a marker', (text) => {
    expect(parseMarker(text)).toBeUndefined()
  })
})

test.each(['outcome', 'outcome-inspect', 'outcome-refused'])(
  '%s verifies and reads as written',
  async (name) => {
    const { jws, outcome } = vector(name)
    expect(await verifyOutcome(jws, findAgentKey)).toEqual(outcome)
  },
)

test.each(vector('outcome-misfits').refused as string[])('refuses misfit %#', async (jws) => {
  await expect(verifyOutcome(jws, findAgentKey)).rejects.toMatchObject({ code: 'ERR_DOCUMENT_INVALID' })
})

test.each([{ b64: true, crit: ['b64'] }, { b64: false }, { b64: true }, { crit: [] }])(
  'a signed message whose header changes how its payload is read is refused: %j',
  async (fields) => {
    const { jws } = vector('request-document')
    const [header = '', payload = ''] = jws.split('.')
    const protectedHeader = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), ...fields }
    const signed = new CompactSign(Buffer.from(payload, 'base64url')).setProtectedHeader(protectedHeader)
    const storeKey = await imported(keys.storeSigning)
    const bent = signed.sign(storeKey).catch(() => `${header}.${payload}.AAAA`)
    await expect(verifyRequest(await bent, findStoreKey)).rejects.toMatchObject({
      code: 'ERR_SIGNATURE_INVALID',
    })
  },
)

test('what an earlier version signed reads with null where it named nothing', async () => {
  const { outcome, requestDocument } = vector('earlier-version')
  expect(await verifyOutcome(outcome, findAgentKey)).toEqual(vector('outcome').outcome)
  expect(await verifyRequest(requestDocument, findStoreKey)).toEqual(vector('request-document').document)
})

describe('agent token', () => {
  const { token, call, agent, store, nowMs } = vector('agent-token')
  const body = Buffer.from(call.bodyUtf8)
  const find = async (id: string) => (id === agent ? imported(publicOf(keys.agentIdentity)) : undefined)
  const verify = (changes: Partial<{ method: string; path: string; body: Buffer }>, at = nowMs, to = store) =>
    verifyAgentCall(token, { method: call.method, path: call.path, body, ...changes }, to, at, find)

  test('verifies for its own call', async () => {
    expect(await verify({})).toMatchObject({ agent })
  })
  test.each([
    ['method', { method: 'PUT' }],
    ['path', { path: '/v1/outcomes' }],
    ['body', { body: Buffer.from('{}') }],
  ])('is refused for another %s', async (_, changes) => {
    await expect(verify(changes)).rejects.toMatchObject({ code: 'ERR_SIGNATURE_INVALID' })
  })
  test('is refused at another store, and when its time is over', async () => {
    await expect(verify({}, nowMs, 'ffffffff')).rejects.toMatchObject({ code: 'ERR_SIGNATURE_INVALID' })
    await expect(verify({}, nowMs + 3_600_000)).rejects.toMatchObject({ code: 'ERR_SIGNATURE_INVALID' })
  })
  test('verifies when it was made by a clock that is ahead: the answer will tell the time', async () => {
    expect(await verify({}, nowMs - 3_600_000)).toMatchObject({ agent })
  })
  test.each([
    ['of another type', { typ: 'wb-outcome+jws' }],
    ['with an extension', { crit: ['b64'], b64: true }],
    ['in the name of another agent', { kid: 'somebody' }],
  ])('is refused %s, though it is signed', async (_, changes) => {
    const [head = '', claims = ''] = (token as string).split('.')
    const header = { ...JSON.parse(Buffer.from(head, 'base64url').toString()), ...changes }
    const key = await imported(keys.agentIdentity)
    const forged = await signCompact(Buffer.from(claims, 'base64url'), header, key)
    const findAny = async () => imported(publicOf(keys.agentIdentity))
    await expect(
      verifyAgentCall(forged, { method: call.method, path: call.path, body }, store, nowMs, findAny),
    ).rejects.toMatchObject({ code: 'ERR_SIGNATURE_INVALID' })
  })
  test('is fresh for every call', async () => {
    const signer = { kid: keys.agentIdentity.kid, key: await imported(keys.agentIdentity) }
    const make = () => signAgentCall({ method: 'POST', path: '/', body }, { agent, store }, signer, nowMs)
    expect(await make()).not.toBe(await make())
  })
})

describe('enrolment', () => {
  const { code, proof, sealingKeyStatement, enrolled, enrolledJws } = vector('enrolment')
  const parsed = parseEnrolmentCode(code)
  test('the proof is for this code and this identity only', async () => {
    await verifyIdentityProof(proof, parsed.secret, publicOf(keys.agentIdentity))
    await expect(verifyIdentityProof(proof, 'another', publicOf(keys.agentIdentity))).rejects.toMatchObject({
      code: 'ERR_SIGNATURE_INVALID',
    })
    await expect(
      verifyIdentityProof(proof, parsed.secret, publicOf(keys.storeSigning)),
    ).rejects.toMatchObject({ code: 'ERR_SIGNATURE_INVALID' })
  })
  test('the sealing key is vouched for by its own identity only', async () => {
    expect(await verifySealingKey(sealingKeyStatement, publicOf(keys.agentIdentity))).toEqual(
      publicOf(keys.agentSealing),
    )
    await expect(verifySealingKey(sealingKeyStatement, publicOf(keys.storeSigning))).rejects.toMatchObject({
      code: 'ERR_SIGNATURE_INVALID',
    })
  })
  test('the promise counts only from the key that the code names', async () => {
    const store = publicOf(keys.storeSigning)
    const agentKey = publicOf(keys.agentIdentity)
    expect(await verifyEnrolled(enrolledJws, [store], parsed, agentKey)).toEqual(enrolled)
    await expect(verifyEnrolled(enrolledJws, [agentKey], parsed, agentKey)).rejects.toMatchObject({
      code: 'ERR_SIGNATURE_INVALID',
    })
  })
  test.each(['', 'wbe1-', 'wbe1-short-x', code.slice(1)])('%j is not a code', (text) => {
    expect(() => parseEnrolmentCode(text)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
  })
})

describe('strict JSON', () => {
  const { accepted, refused } = vector('strict-json')
  test.each(accepted as string[])('accepts the bytes %s', (hex) => {
    const bytes = Buffer.from(hex, 'hex')
    expect(parseStrictJson(bytes)).toEqual(JSON.parse(bytes.toString()))
  })
  test.each(refused as string[])('refuses the bytes %s', (hex) => {
    expect(() => parseStrictJson(Buffer.from(hex, 'hex'))).toThrow(
      expect.objectContaining({ code: 'ERR_JSON_INVALID' }),
    )
  })
  test('a megabyte of nested objects costs no second', () => {
    const text = `${'{"a":'.repeat(170_000)}1${'}'.repeat(170_000)}`
    const before = process.cpuUsage()
    expect(() => parseStrictJson(Buffer.from(text), 2_000_000)).toThrow(
      expect.objectContaining({ code: 'ERR_JSON_INVALID', message: 'body is nested too deeply' }),
    )
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1e6).toBeLessThan(2)
  })
  test('refuses more bytes than allowed', () => {
    expect(() => parseStrictJson(Buffer.from('"aaaa"'), 5)).toThrow(
      expect.objectContaining({ code: 'ERR_JSON_INVALID' }),
    )
  })
})
