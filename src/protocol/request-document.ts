// What was asked: a document signed by the reset store. The truth about the request, for every agent and for ever.
import { z } from 'zod'
import {
  anchorSchema,
  directoryNameSchema,
  plainTextSchema,
  requestIdSchema,
  sequenceSchema,
  storeIdSchema,
  timeSchema,
} from './identifiers.ts'
import { sealedSchema } from './sealed-password.ts'
import { type FindKey, type SigningKey, signMessage, verifyMessage } from './signed-message.ts'

/** Who asked, and how they proved who they are. */
export const actorSchema = z.strictObject({
  kind: z
    .enum(['self', 'administrator', 'help_desk'])
    .describe('self: the user whose account it is, treated more strictly on premises'),
  name: plainTextSchema(256),
  methods: z.array(plainTextSchema(64)).max(8).describe('methods of proof that were passed'),
  audit: plainTextSchema(128).describe('reference into the audit record of the store'),
})
export type Actor = z.infer<typeof actorSchema>

/** Options of a reset. */
export const resetOptionsSchema = z.strictObject({
  unlock: z.boolean().describe('clear the lockout in the same write'),
  mustChangeAtNextSignIn: z.boolean().describe('the user must choose a new password at the next sign-in'),
})
export type ResetOptions = z.infer<typeof resetOptionsSchema>

const noOptionsSchema = z.strictObject({})

const sharedFields = {
  id: requestIdSchema,
  store: storeIdSchema,
  tenant: plainTextSchema(64),
  directory: directoryNameSchema,
  subject: z.strictObject({
    anchor: anchorSchema,
    objectGuid: anchorSchema
      .nullable()
      // A store of an earlier version did not name it.
      .default(null)
      .describe(
        'objectGUID of the entry that the store pinned to the anchor after an inspect; null: none yet',
      ),
    displayName: plainTextSchema(256),
  }),
  issuedAt: timeSchema,
  expiresAt: timeSchema,
  actor: actorSchema,
}

/** The request document, one form per operation. `inspect` has no sequence: it stands outside of the subject's order. */
export const requestDocumentSchema = z
  .discriminatedUnion('operation', [
    z.strictObject({
      ...sharedFields,
      operation: z.literal('reset'),
      sequence: sequenceSchema,
      options: resetOptionsSchema,
      sealed: sealedSchema,
    }),
    z.strictObject({
      ...sharedFields,
      operation: z.literal('change'),
      sequence: sequenceSchema,
      options: noOptionsSchema,
      sealed: sealedSchema,
    }),
    z.strictObject({
      ...sharedFields,
      operation: z.literal('unlock'),
      sequence: sequenceSchema,
      options: noOptionsSchema,
    }),
    z.strictObject({ ...sharedFields, operation: z.literal('inspect'), options: noOptionsSchema }),
  ])
  .describe(
    'request document, payload of a JWS of type wb-request+jws; an inspect has no sequence, and is handed out while the store is paused, too',
  )
export type RequestDocument = z.infer<typeof requestDocumentSchema>
/** The forms that write. */
export type WriteDocument = Exclude<RequestDocument, { operation: 'inspect' }>
/** The form of a `reset`. */
export type ResetDocument = Extract<RequestDocument, { operation: 'reset' }>

/** Signs a request document with the store's key. */
export const signRequest = (document: RequestDocument, signer: SigningKey): Promise<string> =>
  signMessage('wb-request+jws', document, signer)

/** Verifies a request document. Throws ERR_SIGNATURE_INVALID, ERR_JSON_INVALID or ERR_DOCUMENT_INVALID. */
export async function verifyRequest(jws: string, findKey: FindKey): Promise<RequestDocument> {
  return (await verifyMessage('wb-request+jws', jws, requestDocumentSchema, findKey)).payload
}
