// The well-formed messages of a store, made once: the fuzz bends copies of them. Signed by the store's own key.
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type CryptoKey, importJWK } from 'jose'
import { createEnrolmentCode, type EnrolmentCode, signEnrolled } from '../../src/protocol/enrolment.ts'
import { newId, type PublicKey } from '../../src/protocol/identifiers.ts'
import type { RequestDocument } from '../../src/protocol/request-document.ts'
import { thumbprintOf } from '../../src/protocol/sealing-key.ts'
import {
  asOperation,
  DIRECTORY,
  makeParties,
  type Parties,
  resetOf,
  SERVER,
  STORE,
  TENANT,
} from '../agent/sample-requests.ts'
import { HOSTILE_NUMBERS, HOSTILE_TEXTS, hostileJson } from './hostile-values.ts'
import { type Forger, jwsOf } from './mutate-jws.ts'
import type { Random } from './random.ts'
import type { Expected } from './store-oracle.ts'

/** The one account that sample requests are about. */
export const ANCHOR = '0d0d0d0d-1111-4222-8333-444444444444'
/** What the sample resets ask to set; a change goes from `Old-…` to `New-…`. */
export const SAMPLE_PASSWORD = 'Correct-Horse-7'

/** Everything that is made once for a run. */
export interface Samples {
  readonly parties: Parties
  readonly forger: Forger
  readonly expected: Expected
  readonly documents: readonly RequestDocument[]
  readonly signed: readonly string[]
  readonly enrolment: {
    readonly code: EnrolmentCode
    readonly storeKey: PublicKey
    readonly enrolled: string
    readonly identity: PublicKey
  }
}

const EACH = 40

/** Makes keys and messages; about half a second. */
export async function makeSamples(): Promise<Samples> {
  // Keys of Node.js itself beside those of jose: signing by hand is several times as quick, and bends more.
  const store = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const parties = await partiesWith(store)
  const forger: Forger = {
    kid: parties.storeSigner.kid,
    type: 'wb-request+jws',
    storeKey: store.privateKey,
    storePublicPem: store.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    ownKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  }
  const documents = await makeDocuments(parties)
  return {
    parties,
    forger,
    expected: {
      kid: forger.kid,
      storeKey: store.publicKey,
      store: STORE,
      tenant: TENANT,
      directories: [DIRECTORY],
      sealingKid: parties.recipient.kid,
    },
    documents,
    signed: documents.map((document) => signByStore(forger, document)),
    enrolment: await makeEnrolment(parties, store.publicKey),
  }
}

async function partiesWith(store: { publicKey: KeyObject; privateKey: KeyObject }): Promise<Parties> {
  const kid = 'the-store'
  const [privateKey, publicKey] = await Promise.all(
    [store.privateKey, store.publicKey].map((key) => importJWK(key.export({ format: 'jwk' }), 'ES256')),
  )
  return {
    ...(await makeParties()),
    storeSigner: { kid, key: privateKey as CryptoKey },
    findStoreKey: (asked) => (asked === kid ? (publicKey as CryptoKey) : undefined),
  }
}

async function makeDocuments(parties: Parties): Promise<RequestDocument[]> {
  const documents: RequestDocument[] = []
  for (let index = 0; index < EACH; index += 1) {
    const nowMs = Date.now() + index
    const reset = await resetOf(parties, {
      nowMs,
      password: SAMPLE_PASSWORD,
      subject: { anchor: ANCHOR, objectGuid: null, displayName: 'Ada Lovelace' },
      expiresAt: nowMs + 3_600_000,
    })
    documents.push(reset)
    for (const operation of ['change', 'unlock', 'inspect'] as const) {
      const fresh = { ...reset, id: newId() }
      documents.push(await asOperation(parties, fresh, operation))
    }
  }
  return documents
}

async function makeEnrolment(parties: Parties, storeKey: KeyObject): Promise<Samples['enrolment']> {
  const jwk = storeKey.export({ format: 'jwk' })
  const publicKey: PublicKey = {
    kty: 'EC',
    crv: 'P-256',
    x: jwk.x ?? '',
    y: jwk.y ?? '',
    kid: parties.storeSigner.kid,
    use: 'sig',
    alg: 'ES256',
  }
  const { publicKey: identity } = parties.keys.identity
  const enrolled = await signEnrolled(
    {
      agent: parties.agent,
      identity: await thumbprintOf(identity),
      store: STORE,
      tenant: TENANT,
      directories: [DIRECTORY],
      keys: [publicKey],
      at: Date.now(),
    },
    parties.storeSigner,
  )
  return { code: createEnrolmentCode(await thumbprintOf(publicKey)), storeKey: publicKey, enrolled, identity }
}

/** Signs any payload as the store does, and quickly. */
export const signByStore = (forger: Forger, payload: unknown): string =>
  jwsOf({ alg: 'ES256', typ: forger.type, kid: forger.kid }, JSON.stringify(payload), forger.storeKey)

/** A claimed request around a document. */
export const claimedOf = (request: string, lease: number, document: string) => ({
  request,
  lease,
  document,
  earlier: [],
  last: null,
})

/** A claim answer around claimed requests. */
export const claimAnswerOf = (requests: readonly unknown[]) => ({
  storeTime: Date.now(),
  paused: false,
  renewed: [],
  requests,
})

type Fields = Record<string, unknown>
type Hostile = (document: Fields, random: Random) => Fields

const sealedOf = (document: Fields): Fields => (document['sealed'] ?? {}) as Fields
const withSealed = (document: Fields, fields: Fields): Fields => ({
  ...document,
  sealed: { ...sealedOf(document), ...fields },
})
const rebound = (document: Fields, change: (header: Fields) => Fields): Fields => {
  const header = JSON.parse(
    Buffer.from(String(sealedOf(document)['protected'] ?? 'e30'), 'base64url').toString(),
  )
  return withSealed(document, {
    protected: Buffer.from(JSON.stringify(change(header as Fields))).toString('base64url'),
  })
}
const recipientsOf = (document: Fields): Fields[] => (sealedOf(document)['recipients'] ?? []) as Fields[]

/** What a store that signs anything could sign. Every entry gives the content of one document. */
const HOSTILE: Readonly<Record<string, Hostile>> = {
  'foreign directory': (document, random) => ({
    ...document,
    directory: random.pick(['other', 'CORP', '../corp', ...HOSTILE_TEXTS]),
  }),
  'foreign store or tenant': (document, random) => ({
    ...document,
    [random.pick(['store', 'tenant'])]: random.pick(['5a5a0002', 'other', ...HOSTILE_TEXTS]),
  }),
  'an anchor that is no GUID': (document, random) => ({
    ...document,
    subject: { ...(document['subject'] as Fields), anchor: random.pick(HOSTILE_TEXTS) },
  }),
  'LDAP syntax in a text': (document, random) => {
    const text = random.pick(HOSTILE_TEXTS)
    const actor = { ...(document['actor'] as Fields), [random.pick(['name', 'audit', 'kind'])]: text }
    const subject = { ...(document['subject'] as Fields), displayName: text }
    return random.chance(0.5) ? { ...document, actor } : { ...document, subject }
  },
  'huge sequence': (document, random) => ({
    ...document,
    sequence: random.pick([Number.MAX_SAFE_INTEGER, 2 ** 53, 0, -1, 1.5, 1, null, '1']),
  }),
  'expiry far away': (document, random) => ({
    ...document,
    [random.pick(['expiresAt', 'issuedAt'])]: random.pick([
      0, 8_640_000_000_000_000, 8_640_000_000_000_001, -1, 1,
    ]),
  }),
  'sealed value for another operation': (document, random) => ({
    ...document,
    operation: random.pick(['reset', 'change', 'unlock', 'inspect', 'delete', 'enable']),
  }),
  'sealed value removed or added': (document) => {
    const { sealed, ...rest } = document
    return sealed === undefined
      ? { ...rest, sealed: { protected: 'e30', iv: 'AA', ciphertext: 'AA', tag: 'AA', recipients: [] } }
      : rest
  },
  'sealed for another request': (document, random) =>
    rebound(document, (header) => ({
      ...header,
      [random.pick(['wbid', 'op', 'sub', 'dir', 'exp'])]: random.pick<unknown>([
        newId(),
        'reset',
        ANCHOR,
        1,
        '',
      ]),
    })),
  'header of the sealed value': (document, random) =>
    rebound(document, (header) => ({
      ...header,
      [random.pick(['enc', 'zip', 'crit', 'alg', 'apu', 'epk', 'b64'])]: random.pick<unknown>([
        'A128GCM',
        'DEF',
        ['exp'],
        'dir',
        {},
        null,
      ]),
    })),
  'header of the sealed value is no JSON': (document, random) =>
    withSealed(document, { protected: Buffer.from(hostileJson(random)).toString('base64url') || 'AA' }),
  recipients: (document, random) =>
    withSealed(document, {
      recipients: random.pick<unknown>([
        [],
        recipientsOf(document).map((one) => ({ ...one, header: { alg: 'dir', kid: 'x' } })),
        recipientsOf(document).map((one) => ({
          ...one,
          header: { ...(one['header'] as Fields), kid: 'other' },
        })),
        Array.from({ length: 33 }, () => recipientsOf(document)[0]),
        Array.from({ length: 32 }, () => recipientsOf(document)[0]),
        'none',
      ]),
    }),
  'lengths of the sealed value': (document, random) =>
    withSealed(document, {
      [random.pick(['iv', 'ciphertext', 'tag'])]: random.pick([
        '',
        'A',
        'AA',
        'A'.repeat(43),
        'A'.repeat(5000),
        '=',
      ]),
    }),
  'ciphertext of another': (document, random) =>
    withSealed(document, {
      [random.pick(['iv', 'ciphertext', 'tag'])]: random
        .bytes(random.pick([12, 16, 2048]))
        .toString('base64url'),
    }),
  'options of another operation': (document, random) => ({
    ...document,
    options: random.pick<unknown>([{}, { unlock: true }, { unlock: 'yes' }, { enable: true }, null, []]),
  }),
  'unknown field': (document) => ({ ...document, attribute: 'userAccountControl', value: '512' }),
  'any value anywhere': (document, random) => {
    const name = random.pick(Object.keys(document))
    return { ...document, [name]: JSON.parse(safeJson(random)) as unknown }
  },
  'another document’s id': (document) => ({ ...document, id: newId() }),
}

const safeJson = (random: Random): string =>
  random.chance(0.5) ? JSON.stringify(random.pick(HOSTILE_TEXTS)) : random.pick(HOSTILE_NUMBERS)

/** Kinds of hostile content. */
export const HOSTILE_CONTENTS: readonly string[] = Object.keys(HOSTILE)

/** A document with hostile content, signed by the store's own key. */
export function hostileDocument(
  name: string,
  document: RequestDocument,
  random: Random,
  forger: Forger,
): string {
  const make = HOSTILE[name]
  if (make === undefined) throw new Error(`no hostile content: ${name}`)
  return signByStore(forger, make(document as unknown as Fields, random))
}

/** The receipts answer that fits a call, and the outcomes answer and the heartbeat answer of a good store. */
export const goodAnswers = {
  receipts: (requests: readonly string[]) => ({
    results: requests.map((request) => ({ request, result: 'accepted' })),
  }),
  outcomes: (requests: readonly string[]) => ({
    results: requests.map((request) => ({ request, result: 'accepted' })),
  }),
  heartbeat: () => ({ storeTime: Date.now(), paused: false, revokedAgents: [] }),
  server: SERVER,
}
