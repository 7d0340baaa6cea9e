// How often and when the password was set, as the directory itself counts it: replPropertyMetaData.
import type { PasswordVersion } from '../../decisions/account.ts'
import { momentOfDirectorySeconds } from './file-time.ts'

/** The attribute id of unicodePwd, 1.2.840.113556.1.4.90, by the default prefix table (MS-DRSR §5.16.4). */
const UNICODE_PWD = 0x9005a

const HEADER_BYTES = 16
const ENTRY_BYTES = 48

/**
 * Reads the version of unicodePwd out of the stored metadata vector: version 1, count, then entries of attribute id,
 * version, time in seconds since 1601, originating server, and two update numbers (MS-DRSR, PROPERTY_META_DATA_VECTOR). `undefined` when it is absent, cut, or of another version; version 0 when the password was never set.
 */
export function passwordVersionOf(blob: Buffer | undefined): PasswordVersion | undefined {
  if (blob === undefined || blob.length < HEADER_BYTES || blob.readUInt32LE(0) !== 1) return undefined
  const count = blob.readUInt32LE(8)
  if (blob.length < HEADER_BYTES + count * ENTRY_BYTES) return undefined
  for (let entry = 0; entry < count; entry++) {
    const at = HEADER_BYTES + entry * ENTRY_BYTES
    if (blob.readUInt32LE(at) === UNICODE_PWD) {
      return {
        version: blob.readUInt32LE(at + 4),
        changedAtMs: momentOfDirectorySeconds(blob.readBigUInt64LE(at + 8)),
      }
    }
  }
  // Readable, and the attribute was never written: the first write makes it version 1.
  return { version: 0, changedAtMs: 0 }
}
