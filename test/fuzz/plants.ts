// Weaknesses to plant: each is one the fuzz must find, or it is worth nothing. They exist while a run loads the source.
import type { SourceEdit } from '../test-build/source-edits.ts'

/** A weakness, and the part of the fuzz that has to find it. */
export interface Plant extends SourceEdit {
  readonly name: string
  readonly part: 'store' | 'ldap'
  /** The process turns in a circle instead of saying something. */
  readonly hangs?: boolean
}

const message = 'src/protocol/signed-message.ts'
const document = 'src/agent/decisions/judge-document.ts'
const channel = 'src/agent/directory/ldap-channel.ts'
const stream = 'src/agent/directory/checked-stream.ts'

/** All of them. */
export const PLANTS: readonly Plant[] = [
  {
    name: 'a signature is not looked at',
    part: 'store',
    file: message,
    find: 'verified = await compactVerify(jws, async ({ kid }) => requireKey(kid, findKey), {',
    replace: `const [head = '', body = ''] = jws.split('.')
    await requireKey(JSON.parse(Buffer.from(head, 'base64url').toString()).kid, findKey)
    verified = { payload: Buffer.from(body, 'base64url'), protectedHeader: JSON.parse(Buffer.from(head, 'base64url').toString()) } as never
    if (jws === '') verified = await compactVerify(jws, async ({ kid }) => requireKey(kid, findKey), {`,
  },
  {
    name: 'a failure of the signature library is passed on',
    part: 'store',
    file: message,
    find: 'cause instanceof errors.JOSEError || cause instanceof TypeError',
    replace: 'cause instanceof RangeError',
  },
  {
    name: 'an extension of a signature is ignored',
    part: 'store',
    file: message,
    find: 'crit !== undefined || b64 !== undefined',
    replace: 'false',
  },
  {
    name: 'a document under another request’s id is taken',
    part: 'store',
    file: document,
    find: 'document.id !== request',
    replace: 'false',
  },
  {
    name: 'a document for a foreign directory is taken',
    part: 'store',
    file: document,
    find: '!addressee.directories.has(document.directory)',
    replace: 'false',
  },
  {
    name: 'a password sealed for another request is taken',
    part: 'store',
    file: document,
    find: '!isSame',
    replace: 'false',
  },
  {
    name: 'an answer to another message id is taken',
    part: 'ldap',
    file: channel,
    find: 'response.messageId !== waiting?.request.messageId',
    replace: 'waiting === undefined',
  },
  {
    name: 'every kind of answer is taken for a modify’s',
    part: 'ldap',
    file: channel,
    find: `return response.kind === request.expects || (response.kind === 'extended' && response.code !== 0)`,
    replace: 'return true',
  },
  {
    name: 'a frame is not wiped',
    part: 'ldap',
    file: channel,
    find: 'request.frame.fill(0)',
    replace: '',
  },
  {
    name: 'a search of one entry keeps all that come',
    part: 'ldap',
    file: channel,
    find: 'waiting.entries.length > 0',
    replace: 'waiting.entries.length > 1e9',
  },
  {
    name: 'messages reach ldapts unchecked',
    part: 'ldap',
    hangs: true,
    file: stream,
    find: '      checkSearchAnswer(message)\n',
    replace: '',
  },
  {
    name: 'an answer to a read has no limit',
    part: 'ldap',
    file: stream,
    find: 'if (received > LONGEST_ANSWER)',
    replace: 'if (received < 0)',
  },
  {
    name: 'every result of a modify is a success',
    part: 'ldap',
    file: 'src/agent/directory/write-connection.ts',
    find: 'exchange.result.code === 0',
    replace: 'exchange.result.code >= 0',
  },
]
