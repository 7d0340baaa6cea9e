// A sealed value whose content our own sealer would refuse to make: what a faulty or hostile sealer could send.
import { GeneralEncrypt } from 'jose'
import type { ResetDocument } from '../../src/protocol/request-document.ts'
import { SEALED_CONTENT_BYTES, type Sealed, sealedSchema } from '../../src/protocol/sealed-password.ts'
import type { Parties } from './sample-requests.ts'

/** Seals any bytes as the one password of a reset. */
export async function sealedForeign(
  parties: Parties,
  document: ResetDocument,
  password: Buffer,
): Promise<Sealed> {
  const content = Buffer.alloc(SEALED_CONTENT_BYTES)
  content.writeUInt16BE(password.length)
  password.copy(content, 2)
  const encrypt = new GeneralEncrypt(content).setProtectedHeader({
    enc: 'A256GCM',
    wbid: document.id,
    op: document.operation,
    sub: document.subject.anchor,
    dir: document.directory,
    exp: document.expiresAt,
  })
  // Added twice and kept once: for one recipient alone the ephemeral key would move into the protected header.
  for (const { kid, key } of [parties.recipient, parties.recipient])
    encrypt.addRecipient(key).setUnprotectedHeader({ alg: 'ECDH-ES+A256KW', kid })
  const jwe = await encrypt.encrypt()
  return sealedSchema.parse({ ...jwe, recipients: jwe.recipients.slice(0, 1) })
}
