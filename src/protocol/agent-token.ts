// The credential of one agent call: a JWT for this method, path and body only (RFC 7519; in the manner of RFC 7523 and
// RFC 9449). Whoever receives it refuses a `jti` that was seen before.
import { hash, randomUUID } from 'node:crypto'
import { type CryptoKey, errors } from 'jose'
import { z } from 'zod'
import { WritebackError } from '../errors/writeback-error.ts'
import { type JwsHeader, signCompact, verifyCompact } from './compact-jws.ts'
import { agentIdSchema, storeIdSchema } from './identifiers.ts'
import type { SigningKey } from './signed-message.ts'
import { parseStrictJson } from './strict-json.ts'

/** How long a token is good for, in seconds. */
export const TOKEN_LIFETIME_S = 60
const TOKEN_TYPE = 'wb-agent+jwt'

/** What a token is bound to. `path` holds the query too; `body` is the exact bytes, empty when there is none. */
export interface AgentCall {
  readonly method: string
  readonly path: string
  readonly body: Uint8Array
}

const claimsSchema = z.strictObject({
  iss: agentIdSchema,
  aud: storeIdSchema,
  htm: z.string(),
  htu: z.string(),
  bod: z.string(),
  jti: z.uuid(),
  iat: z.int(),
  exp: z.int(),
})

type Claims = z.infer<typeof claimsSchema>

const digest = (body: Uint8Array): string => hash('sha256', body, 'base64url')

/** Makes the token of one call. `nowMs` is the store's time as this agent knows it. */
export function signAgentCall(
  call: AgentCall,
  from: { readonly agent: string; readonly store: string },
  signer: SigningKey,
  nowMs: number,
): Promise<string> {
  const iat = Math.floor(nowMs / 1000)
  const claims: Claims = {
    ...{ htm: call.method, htu: call.path, bod: digest(call.body) },
    ...{ iss: from.agent, aud: from.store, jti: randomUUID(), iat, exp: iat + TOKEN_LIFETIME_S },
  }
  const bytes = Buffer.from(JSON.stringify(claims))
  return signCompact(bytes, { alg: 'ES256', typ: TOKEN_TYPE, kid: from.agent }, signer.key)
}

/** Who called, and what must not be seen again until `expiresAtMs`. */
export interface VerifiedCall {
  readonly agent: string
  readonly jti: string
  readonly expiresAtMs: number
}

/**
 * Verifies the token of one call at the store. `findKey` gives the identity key of an agent that may call. Throws
 * ERR_SIGNATURE_INVALID. The caller still has to refuse a `jti` it has seen.
 */
export async function verifyAgentCall(
  token: string,
  call: AgentCall,
  store: string,
  nowMs: number,
  findKey: (agent: string) => Promise<CryptoKey | undefined> | CryptoKey | undefined,
): Promise<VerifiedCall> {
  const claims = await readClaims(token, store, nowMs, findKey)
  if (claims.htm !== call.method || claims.htu !== call.path || claims.bod !== digest(call.body))
    throw refused('made for another call')
  if (claims.exp - claims.iat > TOKEN_LIFETIME_S) throw refused('good for too long')
  return { agent: claims.iss, jti: claims.jti, expiresAtMs: claims.exp * 1000 + CLOCK_TOLERANCE_S * 1000 }
}

// Both clocks may be off by a little; replay is excluded by the jti, not by the time.
const CLOCK_TOLERANCE_S = 60

async function readClaims(
  token: string,
  store: string,
  nowMs: number,
  findKey: (agent: string) => Promise<CryptoKey | undefined> | CryptoKey | undefined,
): Promise<Claims> {
  try {
    const { payload, header } = await verifyCompact(token, async ({ kid }) => {
      const key = kid === undefined ? undefined : await findKey(kid)
      if (!key) throw refused('by an agent that is not known or is revoked')
      return key
    })
    requireHeader(header)
    const claims = claimsSchema.parse(parseStrictJson(payload))
    requireClaims(claims, store, Math.floor(nowMs / 1000))
    if (claims.iss !== header.kid) throw refused('signed in another agent’s name')
    return claims
  } catch (cause) {
    if (cause instanceof WritebackError && cause.code !== 'ERR_JSON_INVALID') throw cause
    const isOfToken = [errors.JOSEError, z.ZodError, TypeError, WritebackError].some(
      (kind) => cause instanceof kind,
    )
    if (isOfToken) throw refused('not valid', cause)
    throw cause
  }
}

// Another reader might take the claims for something else (RFC 7515 section 4.1.11, RFC 7797).
function requireHeader({ typ, crit, b64 }: JwsHeader): void {
  if (typ !== TOKEN_TYPE || crit !== undefined || b64 !== undefined) throw refused('of another type')
}

// One of an agent whose clock is ahead is good: by the answer to its first call it learns the time.
function requireClaims({ aud, exp }: Claims, store: string, now: number): void {
  if (aud !== store) throw refused('made for another store')
  if (exp <= now - CLOCK_TOLERANCE_S) throw refused('too old')
}

function refused(why: string, cause?: unknown): WritebackError {
  return new WritebackError('ERR_SIGNATURE_INVALID', `agent token ${why}`, { cause })
}
