// Requests, accounts and keys for the agent's tests: signed and sealed as the contract asks, never opened here.
import { randomUUID } from 'node:crypto'
import { type CryptoKey, importJWK } from 'jose'
import type { Account } from '../../src/agent/decisions/account.ts'
import type { AccountRules } from '../../src/agent/decisions/account-rules.ts'
import { generateKeySet, publicPartOf } from '../../src/agent/keys/key-file.ts'
import { openKeys } from '../../src/agent/keys/open-keys.ts'
import { newId } from '../../src/protocol/identifiers.ts'
import { type RequestDocument, type ResetDocument, signRequest } from '../../src/protocol/request-document.ts'
import { type Sealed, sealPasswords } from '../../src/protocol/sealed-password.ts'
import { importPublicKey } from '../../src/protocol/signed-message.ts'

export const STORE = '5a5a0001'
export const TENANT = 'default'
export const DIRECTORY = 'corp'
export const BASE_DN = 'OU=People,DC=corp,DC=test'
export const SERVER = '0a0a0a0a-1111-4222-8333-444444444444'
export const OTHER_SERVER = '0b0b0b0b-1111-4222-8333-444444444444'
export const SERVICE_ACCOUNT = '0c0c0c0c-1111-4222-8333-444444444444'

/** Scope and protection of the sample directory. */
export const RULES: AccountRules = {
  units: [BASE_DN],
  groups: [],
  protectedGroups: [],
  serviceAccount: SERVICE_ACCOUNT,
}

/** An enabled, unprotected account in scope, without a marker. */
export function accountOf(fields: Partial<Account> = {}): Account {
  return {
    objectGuid: randomUUID(),
    dn: `CN=Ada Lovelace,${BASE_DN}`,
    name: 'ada',
    displayName: 'Ada Lovelace',
    objectClasses: ['top', 'person', 'organizationalperson', 'user'],
    sid: 'S-1-5-21-1-2-3-1105',
    groups: ['S-1-5-21-1-2-3-513'],
    unreadable: [],
    sidHistory: [],
    adminCount: false,
    criticalSystemObject: false,
    ordinary: true,
    disabled: false,
    locked: false,
    passwordNotRequired: false,
    smartcardRequired: false,
    passwordNeverExpires: false,
    mustChange: false,
    changeDenied: undefined,
    expiresAtMs: undefined,
    passwordSetAtMs: 1_000_000,
    passwordExpiresAtMs: undefined,
    badPasswordCount: 0,
    badPasswordAtMs: undefined,
    policyDn: undefined,
    passwordVersion: { version: 4, changedAtMs: 1_000_000 },
    marker: undefined,
    ...fields,
  }
}

/** The key pair of a store and of one agent, and what they sign and open. */
export async function makeParties() {
  const [storeSet, agentSet] = await Promise.all([generateKeySet(1), generateKeySet(1)])
  const storeKey = await importPublicKey(publicPartOf(storeSet.identity))
  const storeSigner = {
    kid: storeSet.identity.kid,
    key: (await importJWK(storeSet.identity, 'ES256')) as CryptoKey,
  }
  const keys = await openKeys(agentSet)
  const agentKey = await importPublicKey(keys.identity.publicKey)
  const recipient = keys.sealingKeys[0]?.publicKey
  if (!recipient) throw new Error('an agent without a sealing key')
  return {
    agent: newId(),
    keys,
    agentKey,
    storeSigner,
    findStoreKey: (kid: string) => (kid === storeSigner.kid ? storeKey : undefined),
    recipient: { kid: recipient.kid, key: await importPublicKey(recipient) },
  }
}
export type Parties = Awaited<ReturnType<typeof makeParties>>

type Plain = Omit<ResetDocument, 'sealed'>

/** A reset as the store would make it, with a password sealed to the agent. */
export async function resetOf(
  parties: Parties,
  fields: Partial<ResetDocument> & { readonly nowMs: number; readonly password?: string | Uint8Array },
): Promise<ResetDocument> {
  const { nowMs, password = 'Correct-Horse-7', sealed, ...rest } = fields
  const plain: Plain = {
    id: newId(),
    store: STORE,
    tenant: TENANT,
    directory: DIRECTORY,
    operation: 'reset',
    subject: { anchor: randomUUID(), objectGuid: null, displayName: 'Ada Lovelace' },
    sequence: nowMs,
    issuedAt: nowMs,
    expiresAt: nowMs + 300_000,
    actor: { kind: 'administrator', name: 'root', methods: ['token'], audit: 'a-1' },
    options: { unlock: true, mustChangeAtNextSignIn: false },
    ...rest,
  }
  return { ...plain, sealed: sealed ?? (await sealFor(parties, plain, password)) }
}

/** The same request as another operation: a change with the old and the new password, or without any. */
export async function asOperation(
  parties: Parties,
  { sealed: _sealed, options: _options, sequence, ...reset }: ResetDocument,
  operation: 'change' | 'unlock' | 'inspect',
  passwords: readonly [old: string, next: string] = ['Old-Horse-7', 'Correct-Horse-7'],
): Promise<RequestDocument> {
  if (operation === 'inspect') return { ...reset, operation, options: {} }
  if (operation === 'unlock') return { ...reset, operation, sequence, options: {} }
  const change = { ...reset, operation, sequence, options: {} }
  return { ...change, sealed: await sealFor(parties, change, ...passwords) }
}

/** Seals passwords for one request to the agent. */
export function sealFor(
  parties: Parties,
  document: Pick<RequestDocument, 'id' | 'operation' | 'subject' | 'directory' | 'expiresAt'>,
  ...passwords: (string | Uint8Array)[]
): Promise<Sealed> {
  const bytes = passwords.map((password) => (typeof password === 'string' ? Buffer.from(password) : password))
  const to = {
    requestId: document.id,
    operation: document.operation,
    anchor: document.subject.anchor,
    directory: document.directory,
    expiresAt: document.expiresAt,
  }
  return sealPasswords(bytes, to, [parties.recipient])
}

/** The document as the store hands it out. */
export const signedBy = (parties: Parties, document: RequestDocument): Promise<string> =>
  signRequest(document, parties.storeSigner)
