// What one write says to Active Directory: everything in ONE modify, which the directory applies whole or not at all.
import { WritebackError } from '../../../errors/writeback-error.ts'
import type { Change, RequestControl } from '../../../ldap-wire/encode-request.ts'
import { isGuid } from '../dashed-guid.ts'
import { fenceChanges, type MarkerMove } from '../marker-move.ts'

/** LDAP_SERVER_POLICY_HINTS_OID and its older number (MS-ADTS §3.1.1.3.4.1.27). */
const POLICY_HINTS = ['1.2.840.113556.1.4.2239', '1.2.840.113556.1.4.2066'] as const

/** An effect with its passwords as unicodePwd wants them. */
export type EncodedEffect =
  | {
      readonly kind: 'reset'
      readonly unicodePwd: Uint8Array
      readonly unlock: boolean
      readonly mustChange: boolean
    }
  | { readonly kind: 'change'; readonly oldUnicodePwd: Uint8Array; readonly newUnicodePwd: Uint8Array }
  | { readonly kind: 'unlock' }

/**
 * The changes of a write: the marker as compare-and-set, then the effect. The marker comes first, so that a stale write
 * is refused before a password is looked at. undefined: the marker may not be written, the effect goes alone. A change deletes the old password and adds the new one, which the directory
 * checks by itself, history and age included (MS-ADTS §3.1.1.3.1.5.2).
 */
export function writeChanges(marker: MarkerMove | undefined, effect: EncodedEffect): Change[] {
  return [...(marker === undefined ? [] : fenceChanges(marker)), ...effectChanges(effect)]
}

function effectChanges(effect: EncodedEffect): Change[] {
  const attribute = 'unicodePwd'
  switch (effect.kind) {
    case 'unlock':
      return [replaceWithZero('lockoutTime')]
    case 'change':
      return [
        { operation: 'delete', attribute, values: [effect.oldUnicodePwd] },
        { operation: 'add', attribute, values: [effect.newUnicodePwd] },
      ]
    case 'reset':
      return [
        { operation: 'replace', attribute, values: [effect.unicodePwd] },
        ...(effect.unlock ? [replaceWithZero('lockoutTime')] : []),
        ...(effect.mustChange ? [replaceWithZero('pwdLastSet')] : []),
      ]
  }
}

/**
 * The control that makes a domain controller enforce history on a reset, when it offers one. Critical: a server
 * that does not know it must refuse, not skip it in silence.
 */
export function policyHintsControl(supportedControls: ReadonlySet<string>): RequestControl | undefined {
  const oid = POLICY_HINTS.find((known) => supportedControls.has(known))
  // SEQUENCE { INTEGER 1 }
  return oid === undefined ? undefined : { oid, critical: true, value: Buffer.of(0x30, 3, 2, 1, 1) }
}

/**
 * The name of an account by its objectGUID, which a move or rename does not change (MS-ADTS §3.1.1.3.1.2.4). Throws
 * ERR_DOCUMENT_INVALID for anything but a GUID in dashed lower case: nothing else may get into a name.
 */
export function dnOfGuid(guid: string): string {
  if (!isGuid(guid)) throw new WritebackError('ERR_DOCUMENT_INVALID', 'the anchor of the account is no GUID')
  return `<GUID=${guid}>`
}

function replaceWithZero(attribute: string): Change {
  return { operation: 'replace', attribute, values: [Buffer.from('0')] }
}
