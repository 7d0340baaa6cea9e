// How often, when and where an attribute was written, as the directory itself keeps it: replPropertyMetaData.
import type { PasswordVersion } from '../../decisions/account.ts'
import { momentOfDirectorySeconds } from './file-time.ts'
import { guidText } from './guid.ts'

/** The attribute id of unicodePwd, 1.2.840.113556.1.4.90, by the default prefix table (MS-DRSR §5.16.4). */
const UNICODE_PWD = 0x9005a

const HEADER_BYTES = 16
const ENTRY_BYTES = 48
const ORIGIN_AT = 16

// What marker attributes begin with, by that table. Attributes that were added to the schema later carry their id themselves.
const PREFIXES: Readonly<Record<string, number>> = {
  '2.5.4': 0,
  '1.2.840.113556.1.2': 2,
  '1.2.840.113556.1.4': 9,
}
const LONGEST_ONE_PART_ARC = 0x3fff

/**
 * The id of an attribute in the metadata: its msDS-IntId where the schema gives one, else from its OID. `undefined` for a
 * prefix that is not in every directory.
 */
export function attributeIdOf(oid: string | undefined, intId: string | undefined): number | undefined {
  if (intId !== undefined) return Number(intId) >>> 0
  const [, prefix = '', arc = ''] = /^([\d.]+)\.(\d+)$/.exec(oid ?? '') ?? []
  const high = PREFIXES[prefix]
  const low = Number(arc)
  return high === undefined || low > LONGEST_ONE_PART_ARC ? undefined : high * 0x10000 + low
}

/**
 * Reads the version of unicodePwd out of the stored metadata vector: version 1, count, then entries of attribute id,
 * version, time in seconds since 1601, originating server, and two update numbers (MS-DRSR, PROPERTY_META_DATA_VECTOR).
 * `undefined` when it is absent, cut, or of another version; version 0 when the password was never set.
 */
export function passwordVersionOf(blob: Buffer | undefined): PasswordVersion | undefined {
  if (blob === undefined || !isVector(blob)) return undefined
  const at = findEntry(blob, UNICODE_PWD)
  // Readable, and the attribute was never written: the first write makes it version 1.
  if (at === undefined) return { version: 0, changedAtMs: 0 }
  const origin = originAt(blob, at)
  return {
    version: blob.readUInt32LE(at + 4),
    changedAtMs: momentOfDirectorySeconds(blob.readBigUInt64LE(at + 8)),
    ...(origin === undefined ? {} : { origin }),
  }
}

/** The server on which an attribute was written last, by its invocationId; `undefined` when the vector does not tell. */
export function originOf(blob: Buffer | undefined, attributeId: number | undefined): string | undefined {
  if (blob === undefined || attributeId === undefined || !isVector(blob)) return undefined
  const at = findEntry(blob, attributeId)
  return at === undefined ? undefined : originAt(blob, at)
}

const isVector = (blob: Buffer): boolean =>
  blob.length >= HEADER_BYTES &&
  blob.readUInt32LE(0) === 1 &&
  blob.length >= HEADER_BYTES + blob.readUInt32LE(8) * ENTRY_BYTES

/** Where the entry of an attribute begins. */
function findEntry(blob: Buffer, attributeId: number): number | undefined {
  const end = HEADER_BYTES + blob.readUInt32LE(8) * ENTRY_BYTES
  for (let at = HEADER_BYTES; at < end; at += ENTRY_BYTES)
    if (blob.readUInt32LE(at) === attributeId) return at
  return undefined
}

const originAt = (blob: Buffer, at: number): string | undefined =>
  guidText(blob.subarray(at + ORIGIN_AT, at + ORIGIN_AT + 16))
