// How often the directory itself says that a password or a lockout was written, and how the account stands.
import type { Client } from 'ldapts'
import { readAccountState, readEntry } from '../servers/directory-admin.ts'
import type { TestDomain } from '../servers/directory-kinds.ts'

/** What one look at an account tells. */
export interface EffectCounts {
  /** Writes of unicodePwd since the account exists. */
  readonly passwordWrites: number
  /** Writes of lockoutTime. */
  readonly lockoutWrites: number
  readonly badPasswordCount: number
  readonly isLocked: boolean
  readonly marker: string | undefined
}

// Attribute ids by the default prefix table (MS-DRSR 5.16.4): 1.2.840.113556.1.4.90 and .662.
const UNICODE_PWD = 0x9005a
const LOCKOUT_TIME = 0x90296

/** Reads them as the administrator. */
export async function readEffects(domain: TestDomain, dn: string): Promise<EffectCounts> {
  const client = await domain.admin()
  return domain.kind === 'openldap' ? readOpenLdap(domain, client, dn) : readActiveDirectory(client, dn)
}

/** OpenLDAP counts no writes. Each new password puts one into the history; a lockout that is gone was taken away. */
async function readOpenLdap(
  domain: TestDomain<'openldap'>,
  client: Client,
  dn: string,
): Promise<EffectCounts> {
  const { pwdHistory = [] } = await readEntry(client, dn, ['pwdHistory'])
  const state = await domain.readAccount(dn)
  return {
    passwordWrites: [pwdHistory].flat().length,
    lockoutWrites: state.locked ? 0 : 1,
    badPasswordCount: state.badPwdCount,
    isLocked: state.locked,
    marker: state.marker,
  }
}

async function readActiveDirectory(client: Client, dn: string): Promise<EffectCounts> {
  const { replPropertyMetaData } = await readEntry(client, dn, ['replPropertyMetaData'])
  const state = await readAccountState(client, dn)
  return {
    passwordWrites: versionOf(replPropertyMetaData as Buffer, UNICODE_PWD),
    lockoutWrites: versionOf(replPropertyMetaData as Buffer, LOCKOUT_TIME),
    badPasswordCount: state.badPwdCount,
    isLocked: state.locked,
    marker: state.marker,
  }
}

/** The version of one attribute: how often it was written. Entries of 48 bytes follow a header of 16. */
function versionOf(blob: Buffer, attribute: number): number {
  for (let at = 16; at + 48 <= blob.length; at += 48)
    if (blob.readUInt32LE(at) === attribute) return blob.readUInt32LE(at + 4)
  return 0
}
