// Says by itself, with nothing of the product's own, whether a claimed request may be accepted: signed by the store, for
// this agent, and its password sealed for this very request. What is necessary only; the contract asks for more.
import { type KeyObject, verify } from 'node:crypto'

/** Whom the fuzzed agent believes itself to be. */
export interface Expected {
  readonly kid: string
  readonly storeKey: KeyObject
  readonly store: string
  readonly tenant: string
  readonly directories: readonly string[]
  readonly sealingKid: string
}

interface Claimed {
  readonly request: string
  readonly document: string
}

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const OPERATIONS: Readonly<Record<string, boolean>> = {
  reset: true,
  change: true,
  unlock: false,
  inspect: false,
}

const decode = (text: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>

/** Undefined when it may be accepted, else why not. */
export function whyNot({ request, document }: Claimed, expected: Expected): string | undefined {
  const [header = '', payload = '', signature = '', ...more] = document.split('.')
  if (more.length > 0) return 'more than three segments'
  const { alg, typ, kid, ...rest } = decode(header)
  if (alg !== 'ES256' || typ !== 'wb-request+jws' || kid !== expected.kid) return 'a wrong header'
  if ('crit' in rest || 'b64' in rest) return 'a header that changes the meaning'
  const key = { key: expected.storeKey, dsaEncoding: 'ieee-p1363' } as const
  if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')))
    return 'not signed by the store'
  return misfitOf(decode(payload), request, expected)
}

function misfitOf(payload: Record<string, unknown>, request: string, expected: Expected): string | undefined {
  const { subject, expiresAt, issuedAt, operation } = payload
  const anchor = (subject as { anchor?: unknown }).anchor
  if (payload['id'] !== request) return 'another request'
  if (payload['store'] !== expected.store || payload['tenant'] !== expected.tenant) return 'another store'
  if (!expected.directories.includes(String(payload['directory']))) return 'a foreign directory'
  if (typeof anchor !== 'string' || !GUID.test(anchor)) return 'an anchor that is no GUID'
  if (typeof expiresAt !== 'number' || typeof issuedAt !== 'number') return 'no times'
  if (expiresAt - issuedAt > 86_400_000) return 'lives longer than a day'
  const isSealed = OPERATIONS[String(operation)]
  if (isSealed === undefined) return 'an unknown operation'
  if (isSealed !== 'sealed' in payload) return 'sealed value and operation do not fit'
  return isSealed ? missealingOf(payload, anchor, expected) : undefined
}

function missealingOf(
  payload: Record<string, unknown>,
  anchor: string,
  { sealingKid }: Expected,
): string | undefined {
  const sealed = payload['sealed'] as { protected: string; recipients: { header: { kid: string } }[] }
  const bound = decode(sealed.protected)
  const isSame =
    bound['wbid'] === payload['id'] &&
    bound['op'] === payload['operation'] &&
    bound['sub'] === anchor &&
    bound['dir'] === payload['directory'] &&
    bound['exp'] === payload['expiresAt']
  if (!isSame) return 'sealed for another request'
  return sealed.recipients.some(({ header }) => header.kid === sealingKid) ? undefined : 'sealed to others'
}
