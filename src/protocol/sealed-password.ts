// A password on its way: sealed by whoever first holds it, opened only by an agent, for one request.
// JWE in general serialization (RFC 7516 section 7.2.1), ECDH-ES+A256KW and A256GCM on P-256.

import { isUtf8 } from 'node:buffer'
import { type CryptoKey, GeneralEncrypt } from 'jose'
import { z } from 'zod'
import { WritebackError } from '../errors/writeback-error.ts'
import { wipeableBuffer } from '../memory/wipeable-buffer.ts'
import {
  anchorSchema,
  directoryNameSchema,
  type Operation,
  requestIdSchema,
  timeSchema,
} from './identifiers.ts'
import { type EphemeralKey, type OpenerKey, openJwe } from './open-jwe.ts'
import { parseDocument } from './signed-message.ts'
import { parseStrictJson } from './strict-json.ts'

/** Length of the clear content, whatever the password's length. */
export const SEALED_CONTENT_BYTES = 2048
const MOST_RECIPIENTS = 32

const base64url = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[\w-]+$/)

// The ephemeral key stands with its recipient; a library that seals to one recipient may put it into the protected header.
const ephemeralKeySchema = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: base64url(43),
  y: base64url(43),
})

const recipientSchema = z.strictObject({
  header: z.strictObject({
    alg: z.literal('ECDH-ES+A256KW'),
    kid: z.string().min(1).max(64),
    epk: ephemeralKeySchema.optional(),
  }),
  encrypted_key: base64url(128),
})

/** The sealed value as JSON. */
export const sealedSchema = z.strictObject({
  protected: base64url(1024),
  iv: base64url(32),
  ciphertext: base64url(4096),
  tag: base64url(32),
  recipients: z.array(recipientSchema).min(1).max(MOST_RECIPIENTS),
})
export type Sealed = z.infer<typeof sealedSchema>

const protectedHeaderSchema = z.strictObject({
  enc: z.literal('A256GCM'),
  epk: ephemeralKeySchema.optional(),
  wbid: requestIdSchema,
  op: z.enum(['reset', 'change']),
  sub: anchorSchema,
  dir: directoryNameSchema,
  exp: timeSchema,
})

/** What a sealed value is bound to; every field is authenticated with the ciphertext. */
export interface SealedFor {
  readonly requestId: string
  readonly operation: Operation
  readonly anchor: string
  readonly directory: string
  readonly expiresAt: number
}

/** One agent's public sealing key. */
export interface SealingRecipient {
  readonly kid: string
  readonly key: CryptoKey
}

/** How many passwords an operation seals, in order: `reset` the new one, `change` the old and the new one. */
export const passwordCount = (operation: Operation): 0 | 1 | 2 =>
  operation === 'reset' ? 1 : operation === 'change' ? 2 : 0

/**
 * Refuses a password that no directory could take: empty, not UTF-8 (a lone surrogate is not), with a NUL, or too long
 * for the content. Throws ERR_PASSWORD_UNREPRESENTABLE.
 */
export function checkPassword(utf8: Uint8Array): void {
  if (utf8.length === 0) throw unrepresentable('a password is empty')
  if (utf8.length > SEALED_CONTENT_BYTES / 2 - 2) throw unrepresentable('a password is too long')
  if (utf8.includes(0)) throw unrepresentable('a password holds a NUL character')
  if (!isUtf8(utf8)) throw unrepresentable('a password is not well-formed Unicode')
}

/** Seals passwords (UTF-8) for one request to every recipient. The callers wipe their own bytes. */
export async function sealPasswords(
  passwords: readonly Uint8Array[],
  to: SealedFor,
  recipients: readonly SealingRecipient[],
): Promise<Sealed> {
  for (const password of passwords) checkPassword(password)
  if (passwords.length !== passwordCount(to.operation))
    throw unrepresentable('not the number of passwords this operation takes')
  const content = packPasswords(passwords)
  try {
    const encrypt = new GeneralEncrypt(content).setProtectedHeader({
      enc: 'A256GCM',
      wbid: to.requestId,
      op: to.operation,
      sub: to.anchor,
      dir: to.directory,
      exp: to.expiresAt,
    })
    // For one recipient alone jose would move `epk` into the protected header; so it is added twice and kept once.
    const [only] = recipients
    for (const { kid, key } of recipients.length === 1 && only ? [only, only] : recipients)
      encrypt.addRecipient(key).setUnprotectedHeader({ alg: 'ECDH-ES+A256KW', kid })
    const jwe = await encrypt.encrypt()
    const sealed = { ...jwe, recipients: jwe.recipients.slice(0, recipients.length) }
    return parseDocument('sealed value', sealed, sealedSchema)
  } finally {
    content.fill(0)
  }
}

// A value is looked at when it is taken in, before it is opened, and while it is opened; nobody changes it in between.
const alreadyRead = new WeakMap<Sealed, ProtectedHeader>()

interface ProtectedHeader {
  readonly text: string
  readonly sealedFor: SealedFor
  readonly epk: EphemeralKey | undefined
}

/** Reads what a sealed value says it is for, without opening it. Throws ERR_SEALED_INVALID. */
export const readSealedFor = (sealed: Sealed): SealedFor => readProtected(sealed).sealedFor

function readProtected(sealed: Sealed): ProtectedHeader {
  const known = alreadyRead.get(sealed)
  if (known?.text === sealed.protected) return known
  const header = parseProtected(sealed)
  alreadyRead.set(sealed, header)
  return header
}

function parseProtected(sealed: Sealed): ProtectedHeader {
  let header: z.infer<typeof protectedHeaderSchema>
  try {
    const value = parseStrictJson(Buffer.from(sealed.protected, 'base64url'), 1024)
    header = parseDocument('protected header', value, protectedHeaderSchema)
  } catch (cause) {
    throw new WritebackError(
      'ERR_SEALED_INVALID',
      'the protected header of a sealed value is not of the contract’s form',
      { cause },
    )
  }
  const sealedFor = {
    requestId: header.wbid,
    operation: header.op,
    anchor: header.sub,
    directory: header.dir,
    expiresAt: header.exp,
  }
  return { text: sealed.protected, sealedFor, epk: header.epk }
}

/**
 * Opens a sealed value with one recipient's private key and compares every bound field. The result holds the clear
 * content; the caller wipes it. Throws ERR_SEALED_INVALID.
 */
export async function openSealed(
  sealed: Sealed,
  recipient: { readonly kid: string; readonly key: OpenerKey },
  expected: SealedFor,
): Promise<Buffer> {
  const { sealedFor, epk } = readProtected(sealed)
  requireSame(sealedFor, expected)
  const mine = sealed.recipients.find(({ header }) => header.kid === recipient.kid)
  if (!mine) throw new WritebackError('ERR_SEALED_INVALID', 'the value was not sealed to a key of this agent')
  try {
    const [ephemeralKey, second] = [mine.header.epk, epk].filter((key) => key !== undefined)
    if (!ephemeralKey || second) throw new Error('there is not one ephemeral key')
    const { encrypted_key: encryptedKey } = mine
    return await openJwe({ ...sealed, encryptedKey, ephemeralKey }, recipient.key)
  } catch (cause) {
    throw new WritebackError('ERR_SEALED_INVALID', 'a sealed value does not open with the key it names', {
      cause,
    })
  }
}

const ZEROS = new Uint8Array(SEALED_CONTENT_BYTES)

/**
 * Cuts opened content into its passwords: views on the same memory, so wiping the content wipes them. Throws
 * ERR_SEALED_INVALID on a wrong length or padding, ERR_PASSWORD_UNREPRESENTABLE on a password no directory could take.
 */
export function splitPasswords(content: Buffer, operation: Operation): readonly Buffer[] {
  if (content.length !== SEALED_CONTENT_BYTES)
    throw new WritebackError('ERR_SEALED_INVALID', 'sealed content has a wrong length')
  const passwords: Buffer[] = []
  let at = 0
  for (let index = 0; index < passwordCount(operation); index += 1) {
    const end = at + 2 > content.length ? Number.POSITIVE_INFINITY : at + 2 + content.readUInt16BE(at)
    if (end > content.length) throw new WritebackError('ERR_SEALED_INVALID', 'sealed content is cut')
    const password = content.subarray(at + 2, end)
    checkPassword(password)
    passwords.push(password)
    at = end
  }
  if (!content.subarray(at).equals(ZEROS.subarray(at)))
    throw new WritebackError('ERR_SEALED_INVALID', 'sealed content is not padded with zeros')
  return passwords
}

function packPasswords(passwords: readonly Uint8Array[]): Buffer {
  const content = wipeableBuffer(SEALED_CONTENT_BYTES)
  let at = 0
  for (const password of passwords) {
    content.writeUInt16BE(password.length, at)
    content.set(password, at + 2)
    at += 2 + password.length
  }
  return content
}

function requireSame(actual: SealedFor, expected: SealedFor): void {
  for (const field of ['requestId', 'operation', 'anchor', 'directory', 'expiresAt'] as const)
    if (actual[field] !== expected[field])
      throw new WritebackError('ERR_SEALED_INVALID', `the value was sealed for another ${field}`)
}

function unrepresentable(message: string): WritebackError {
  return new WritebackError('ERR_PASSWORD_UNREPRESENTABLE', message)
}
