// Makes the test vectors under test/vectors/ anew: fixed keys, and one example of everything that is signed or sealed.
// ES256 and sealing are not deterministic, so run it only when the contract changes; the tests check what is there.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type CryptoKey, exportJWK, generateKeyPair, importJWK } from 'jose'
import type { AccountState, EffectivePolicy } from '../src/protocol/account-state.ts'
import { signAgentCall } from '../src/protocol/agent-token.ts'
import { proveIdentity, signEnrolled } from '../src/protocol/enrolment.ts'
import { formatMarker } from '../src/protocol/marker.ts'
import { type Outcome, signOutcome } from '../src/protocol/outcome.ts'
import { type RequestDocument, type ResetDocument, signRequest } from '../src/protocol/request-document.ts'
import { sealPasswords } from '../src/protocol/sealed-password.ts'
import { stateSealingKey, thumbprintOf } from '../src/protocol/sealing-key.ts'
import { signMessage } from '../src/protocol/signed-message.ts'

const DIRECTORY = new URL('../test/vectors/', import.meta.url)
const at = (name: string): URL => new URL(`${name}.json`, DIRECTORY)
const write = (name: string, value: unknown): void =>
  writeFileSync(at(name), `${JSON.stringify(value, null, 2)}\n`)

async function makeKey(use: 'sig' | 'enc', alg: 'ES256' | 'ECDH-ES+A256KW') {
  const { privateKey } = await generateKeyPair(alg, { crv: 'P-256', extractable: true })
  const { x = '', y = '', d = '' } = await exportJWK(privateKey)
  const key = { kty: 'EC' as const, crv: 'P-256' as const, x, y, use, alg, kid: '-' }
  return { ...key, kid: await thumbprintOf(key), d }
}

mkdirSync(DIRECTORY, { recursive: true })
if (!existsSync(at('keys'))) {
  write('keys', {
    description: 'Private keys of every party. They exist for these vectors only.',
    storeSigning: await makeKey('sig', 'ES256'),
    agentIdentity: await makeKey('sig', 'ES256'),
    agentSealing: await makeKey('enc', 'ECDH-ES+A256KW'),
    otherAgentSealing: await makeKey('enc', 'ECDH-ES+A256KW'),
  })
}
const keys = JSON.parse(readFileSync(at('keys'), 'utf8'))
const publicOf = ({ d: _, ...key }: Record<string, string>) => key as never
const without = (value: object, ...names: string[]) =>
  Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))
const signerOf = async (key: { kid: string; alg: string }) => ({
  kid: key.kid,
  key: (await importJWK(key as never, key.alg)) as CryptoKey,
})
const storeSigner = await signerOf(keys.storeSigning)
const agentSigner = await signerOf(keys.agentIdentity)

const id = '019aa5b8-4c00-7d11-9a3e-0123456789ab'
const agent = '019aa5b0-0000-7abc-8def-00112233aabb'
const anchor = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'
const server = '0b1c2d3e-4f50-4617-8293-a4b5c6d7e8f9'
const issuedAt = 1_763_700_000_000
const expiresAt = issuedAt + 300_000
const sealedFor = { requestId: id, operation: 'reset' as const, anchor, directory: 'corp', expiresAt }

const passwordHex = Buffer.from('Grüße "aus" 東京 🗝 ').toString('hex')
const recipients = await Promise.all(
  [keys.agentSealing, keys.otherAgentSealing].map(async (key) => ({
    kid: key.kid,
    key: (await importJWK(publicOf(key), key.alg)) as CryptoKey,
  })),
)
const sealed = await sealPasswords([Buffer.from(passwordHex, 'hex')], sealedFor, recipients)
write('sealed-reset', {
  description:
    'One new password sealed to two agents. Content: 2-byte big-endian length, UTF-8, zeros up to 2048 bytes.',
  sealedFor,
  passwordsUtf8Hex: [passwordHex],
  sealed,
})

const changeFor = { ...sealedFor, operation: 'change' as const }
const oldHex = Buffer.from('the old one').toString('hex')
const sealedChange = await sealPasswords(
  [Buffer.from(oldHex, 'hex'), Buffer.from(passwordHex, 'hex')],
  changeFor,
  recipients.slice(0, 1),
)
write('sealed-change', {
  description: 'The old and the new password, in this order.',
  sealedFor: changeFor,
  passwordsUtf8Hex: [oldHex, passwordHex],
  sealed: sealedChange,
})

const document: ResetDocument = {
  id,
  store: '5e1f00d5',
  tenant: 'example',
  directory: 'corp',
  operation: 'reset',
  subject: { anchor, objectGuid: null, displayName: 'A. Example' },
  sequence: issuedAt + 7,
  issuedAt,
  expiresAt,
  actor: { kind: 'administrator', name: 'admin', methods: ['token'], audit: 'a-1' },
  options: { unlock: true, mustChangeAtNextSignIn: false },
  sealed,
}
write('request-document', {
  description: 'JWS of type wb-request+jws by the store.',
  document,
  jws: await signRequest(document, storeSigner),
})

const { sequence, options: _options, sealed: _sealed, ...unsealed } = document
const pinned = { ...document.subject, objectGuid: '7d3f0c1a-52b6-4e7f-9a41-c0ffee123456' }
const otherDocuments: Readonly<Record<string, RequestDocument>> = {
  change: { ...unsealed, operation: 'change', sequence, options: {}, sealed: sealedChange },
  unlock: { ...unsealed, operation: 'unlock', sequence, options: {} },
  inspect: { ...unsealed, operation: 'inspect', subject: pinned, options: {} },
}
for (const [operation, other] of Object.entries(otherDocuments))
  write(`request-document-${operation}`, {
    description: `JWS of type wb-request+jws by the store, for ${operation}.`,
    document: other,
    jws: await signRequest(other, storeSigner),
  })

const marker = {
  store: '5e1f00d5',
  sequence: document.sequence,
  requestId: id,
  flag: 'applied' as const,
  lease: issuedAt + 100,
  n: 1,
  passwordVersion: 3,
}
const outcome = {
  request: id,
  store: '5e1f00d5',
  agent,
  directory: 'corp',
  lease: marker.lease,
  server,
  marker: formatMarker(marker),
  decidedAt: issuedAt + 500,
  notices: ['old_password_may_work' as const],
  detail: null,
  account: null,
  rule: null,
  policy: null,
  outcome: 'applied' as const,
}
write('outcome', {
  description: 'JWS of type wb-outcome+jws by the agent’s identity key.',
  outcome,
  jws: await signOutcome(outcome, agentSigner),
})

const policy: EffectivePolicy = {
  ...{ name: 'strict', source: 'fine_grained', minimumLength: 14, complexity: true, refusesNames: true },
  ...{ historyLength: 24, minimumAgeMs: 86_400_000, maximumAgeMs: null },
  ...{ lockoutThreshold: 5, lockoutDurationMs: null, lockoutWindowMs: 1_800_000 },
}
const account: AccountState = {
  ...{ objectGuid: pinned.objectGuid, locked: true, disabled: false, smartcardRequired: false },
  refusals: { reset: null, change: 'account_locked', unlock: null },
  ...{ mustChange: false, passwordNeverExpires: true, passwordChangedAt: issuedAt - 86_400_000 },
  ...{ passwordExpiresAt: null, accountExpiresAt: issuedAt + 86_400_000, policy, policyProblem: null },
}
const otherOutcomes: Readonly<Record<string, Outcome>> = {
  inspect: { ...outcome, marker: null, notices: [], account },
  refused: {
    ...{ ...outcome, marker: null, notices: [], outcome: 'refused', reason: 'password_too_short' },
    ...{ detail: '0000052D: SvcErr: DSID-031A12D2', policy },
    rule: { kind: 'minimum_length', characters: 14 },
  },
}
write('outcome-misfits', {
  description:
    'Outcomes that every party refuses, though the signature is good: each tells what its kind does not have.',
  refused: await Promise.all(
    [
      { ...outcome, rule: { kind: 'no_names' } },
      { ...outcome, policy },
      { ...otherOutcomes['refused'], account },
      { ...outcome, outcome: 'unknown', account },
      { ...outcome, outcome: 'failed', reason: 'internal', policy },
      { ...outcome, reason: 'account_locked' },
    ].map((misfit) => signOutcome(misfit as Outcome, agentSigner)),
  ),
})
write('earlier-version', {
  description: 'What was signed before account, rule, policy and objectGuid were named; they read as null.',
  outcome: await signMessage('wb-outcome+jws', without(outcome, 'account', 'rule', 'policy'), agentSigner),
  requestDocument: await signMessage(
    'wb-request+jws',
    { ...document, subject: without(document.subject, 'objectGuid') },
    storeSigner,
  ),
})
for (const [kind, other] of Object.entries(otherOutcomes))
  write(`outcome-${kind}`, {
    description:
      kind === 'inspect'
        ? 'An inspect that was applied, with the state of the account.'
        : 'A refused password, with the rule that it broke and the policy that applies.',
    outcome: other,
    jws: await signOutcome(other, agentSigner),
  })

write('markers', {
  description: 'Text of the marker attribute and its parts; then texts that are not markers.',
  valid: [
    { text: formatMarker(marker), marker },
    {
      text: formatMarker({ ...marker, flag: 'fenced', n: 2, passwordVersion: 0 }),
      marker: { ...marker, flag: 'fenced', n: 2, passwordVersion: 0 },
    },
    { text: formatMarker(marker).toUpperCase(), marker },
  ],
  invalid: [
    '',
    'wb1',
    'Administrator',
    formatMarker(marker).replace('wb1', 'wb2'),
    `${formatMarker(marker)}:x`,
    formatMarker(marker).replace(':a:', ':b:'),
    formatMarker(marker).replace('.1:', '.0:'),
    ` ${formatMarker(marker)}`,
  ],
})

const call = { method: 'POST', path: '/v1/requests/claim', bodyUtf8: '{"claimId":"x"}' }
const token = await signAgentCall(
  { ...call, body: Buffer.from(call.bodyUtf8) },
  { agent, store: '5e1f00d5' },
  agentSigner,
  issuedAt,
)
write('agent-token', {
  description: 'JWT of type wb-agent+jwt for one call, in the Authorization header as a Bearer token.',
  agent,
  store: '5e1f00d5',
  nowMs: issuedAt,
  call,
  token,
})

const secret = Buffer.alloc(24, 7).toString('base64url')
const storeThumbprint = await thumbprintOf(publicOf(keys.storeSigning))
const enrolled = {
  agent,
  identity: await thumbprintOf(publicOf(keys.agentIdentity)),
  store: '5e1f00d5',
  tenant: 'example',
  directories: ['corp'],
  keys: [publicOf(keys.storeSigning)],
  at: issuedAt,
}
write('enrolment', {
  description: 'An enrolment code, the agent’s proof and sealing key statement, and the store’s promise.',
  code: `wbe1-${secret}-${storeThumbprint}`,
  proof: await proveIdentity(secret, publicOf(keys.agentIdentity), agentSigner, issuedAt),
  sealingKeyStatement: await stateSealingKey(
    publicOf(keys.agentSealing),
    { publicKey: publicOf(keys.agentIdentity), signer: agentSigner },
    issuedAt,
  ),
  enrolled,
  enrolledJws: await signEnrolled(enrolled, storeSigner),
})

write('strict-json', {
  description: 'Bodies that every party accepts, and bodies that every party refuses. Hex of the bytes.',
  accepted: [
    '{}',
    '{"a":{"b":1},"b":[{"a":1},{"a":2}]}',
    '"\\ud83d\\udd11"',
    ' {"é" : "\\u0000"} ',
    `${'['.repeat(32)}${']'.repeat(32)}`,
  ].map((text) => Buffer.from(text).toString('hex')),
  refused: [
    ...[
      '{"a":1,"a":2}',
      '{"a":1,"\\u0061":2}',
      '[{"x":{"y":1,"y":1}}]',
      '"\\ud800"',
      '{"\\udc00":1}',
      '{"__proto__":{}}',
      '{',
      '',
      '{"a":01}',
      "{'a':1}",
      '\ufeff{}',
      `${'['.repeat(33)}${']'.repeat(33)}`,
      `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`,
    ].map((text) => Buffer.from(text).toString('hex')),
    'ff',
    '22c0af22',
    '22eda08022',
  ],
})
