// The hand-written LDAP messages: byte-exact requests, and answers that hold against anything a server may send.
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Attribute, BindRequest, Control, Change as LdaptsChange, ModifyRequest, UnbindRequest } from 'ldapts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import { BER, constructed, encodeFrame, integer, octets, text } from '../../src/ldap-wire/ber-write.ts'
import { decodeResponse, NOTICE_OF_DISCONNECTION } from '../../src/ldap-wire/decode-response.ts'
import {
  encodeBaseSearch,
  encodeBind,
  encodeModify,
  encodeUnbind,
} from '../../src/ldap-wire/encode-request.ts'
import { createPduSplitter, LONGEST_MESSAGE } from '../../src/ldap-wire/pdu-splitter.ts'

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')

test('encodes a simple bind byte for byte', () => {
  const frame = encodeBind({ messageId: 1, name: 'cn=a', password: Buffer.from('pw') })
  expect(frame).toEqual(bytes('30 12 02 01 01 60 0d 02 01 03 04 04 63 6e 3d 61 80 02 70 77'))
  expect(encodeUnbind(3)).toEqual(bytes('30 05 02 01 03 42 00'))
})

test('encodes a modify with a critical control byte for byte', () => {
  const frame = encodeModify({
    messageId: 2,
    dn: 'x',
    changes: [
      { operation: 'delete', attribute: 'm', values: [Buffer.from('1')] },
      { operation: 'add', attribute: 'm', values: [Buffer.from('2')] },
      { operation: 'replace', attribute: 'p', values: [] },
    ],
    controls: [
      { oid: '1.2', critical: true, value: bytes('3003020101') },
      { oid: '1.3', critical: false },
    ],
  })
  const changes = [
    '30 0d 0a 01 01 30 08 04 01 6d 31 03 04 01 31',
    '30 0d 0a 01 00 30 08 04 01 6d 31 03 04 01 32',
    '30 0a 0a 01 02 30 05 04 01 70 31 00',
  ]
  const controls = 'a0 18 30 0f 04 03 31 2e 32 01 01 ff 04 05 30 03 02 01 01 30 05 04 03 31 2e 33'
  expect(frame.toString('hex')).toBe(
    bytes(`30 4e 02 01 02 66 2f 04 01 78 30 2a ${changes.join(' ')} ${controls}`).toString('hex'),
  )
})

test('a frame fills its own memory exactly, outside the buffer pool', () => {
  const frame = encodeBind({ messageId: 1, name: 'cn=a', password: Buffer.from('pw') })
  expect(frame.buffer.byteLength).toBe(frame.length)
})

test('agrees with another implementation on requests of every length', () => {
  const word = fc.string({ minLength: 0, maxLength: 300, unit: 'grapheme' })
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ minLength: 65_500, maxLength: 65_600 }),
  )
  const id = fc.integer({ min: 0, max: 2 ** 31 - 1 })
  fc.assert(
    fc.property(id, word, fc.array(fc.tuple(word, value), { maxLength: 3 }), (messageId, dn, list) => {
      const ours = encodeModify({
        messageId,
        dn,
        changes: list.map(([attribute, one]) => ({ operation: 'replace', attribute, values: [one] })),
        controls: [{ oid: '1.2.840.113556.1.4.2066', critical: true }],
      })
      const theirs = new ModifyRequest({
        messageId,
        dn,
        changes: list.map(
          ([type, one]) =>
            new LdaptsChange({
              operation: 'replace',
              modification: new Attribute({ type, values: [Buffer.from(one)] }),
            }),
        ),
        controls: [new Control('1.2.840.113556.1.4.2066', { critical: true })],
      }).write()
      expect(ours.equals(theirs)).toBe(true)
    }),
    { numRuns: 200 },
  )
  const bind = { messageId: 77, name: 'CN=svc,DC=corp,DC=test', password: 'Pässword €' }
  expect(encodeBind({ ...bind, password: Buffer.from(bind.password) })).toEqual(
    new BindRequest({ messageId: 77, dn: bind.name, password: bind.password }).write(),
  )
  expect(encodeUnbind(78)).toEqual(new UnbindRequest({ messageId: 78 }).write())
})

test('encodes the base search of the root entry', () => {
  const frame = encodeBaseSearch({ messageId: 1, dn: '', attributes: ['objectClass'] })
  expect(frame.toString('hex')).toBe(
    '3032020101632d04000a01000a0100020100020100010100870b6f626a656374436c617373300d040b6f626a656374436c617373',
  )
})

const result = (tag: number, code: number, diagnostic = '', more: ReturnType<typeof octets>[] = []) =>
  constructed(tag, [
    integer(BER.enumerated, code),
    text(BER.octetString, ''),
    text(BER.octetString, diagnostic),
    ...more,
  ])
const answer = (id: number, part: ReturnType<typeof octets>, ...after: ReturnType<typeof octets>[]) =>
  encodeFrame(constructed(BER.sequence, [integer(BER.integer, id), part, ...after]))

test('decodes bind, modify and extended answers', () => {
  const refused = answer(5, result(103, 19, '0000052D: AtrErr: DSID-03191083'))
  expect(decodeResponse(refused)).toMatchObject({
    kind: 'modify',
    messageId: 5,
    code: 19,
    diagnostic: '0000052D: AtrErr: DSID-03191083',
    referrals: [],
    controls: [],
  })
  const referral = constructed(0xa3, [text(4, 'ldaps://dc2.corp.test/x')])
  const control = constructed(0xa0, [constructed(0x30, [text(4, '1.2.3'), octets(4, Buffer.of(1, 2))])])
  expect(decodeResponse(answer(6, result(103, 10, '', [referral]), control))).toMatchObject({
    code: 10,
    referrals: ['ldaps://dc2.corp.test/x'],
    controls: [{ oid: '1.2.3', critical: false, value: Buffer.of(1, 2) }],
  })
  const sasl = octets(0x87, Buffer.from('x'))
  expect(decodeResponse(answer(1, result(97, 49, 'data 52e', [sasl])))).toMatchObject({
    kind: 'bind',
    code: 49,
  })
  const notice = result(120, 52, 'shutting down', [text(0x8a, NOTICE_OF_DISCONNECTION)])
  expect(decodeResponse(answer(0, notice))).toMatchObject({
    kind: 'extended',
    messageId: 0,
    code: 52,
    responseName: NOTICE_OF_DISCONNECTION,
  })
})

test('decodes the long length form that Windows sends, and ignores unknown components at the end', () => {
  const windows = bytes('30 84 00 00 00 10 02 01 01 61 84 00 00 00 07 0a 01 00 04 00 04 00')
  expect(decodeResponse(windows)).toMatchObject({ kind: 'bind', messageId: 1, code: 0 })
  expect(decodeResponse(answer(1, result(97, 0), octets(0x8a, Buffer.from('later'))))).toMatchObject({
    code: 0,
  })
})

test('decodes a search entry and its end', () => {
  const entry = constructed(100, [
    text(4, 'CN=x'),
    constructed(0x30, [constructed(0x30, [text(4, 'dsServiceName'), constructed(0x31, [text(4, 'CN=N')])])]),
  ])
  const decoded = decodeResponse(answer(2, entry))
  expect(decoded.kind === 'search_entry' && decoded.attributes.get('dsservicename')?.[0]?.toString()).toBe(
    'CN=N',
  )
  expect(decodeResponse(answer(2, result(101, 0)))).toMatchObject({ kind: 'search_done', code: 0 })
})

const MALFORMED: readonly [string, string][] = [
  ['not a sequence', '31 05 02 01 01 61 00'],
  ['an indefinite length', '30 80 02 01 01 61 00 00 00'],
  ['a length over the limit', '30 84 00 10 00 00'],
  ['a length field of five bytes', '30 85 00 00 00 00 01 00'],
  ['a length field of 127 bytes', '30 ff 01'],
]
test.each(MALFORMED)('the splitter refuses %s', (_name, hex) => {
  expect(() => createPduSplitter().push(bytes(hex))).toThrow(
    expect.objectContaining({ code: 'ERR_LDAP_MALFORMED', retry: 'later' }),
  )
})

const UNREADABLE: readonly [string, string][] = [
  ['an empty message', '30 00'],
  ['a message id without a value', '30 0b 02 00 67 07 0a 01 00 04 00 04 00'],
  ['a negative message id', '30 0c 02 01 ff 67 07 0a 01 00 04 00 04 00'],
  ['a result without diagnostic text', '30 0a 02 01 01 67 05 0a 01 00 04 00'],
  ['an element that ends outside its parent', '30 0c 02 01 01 67 07 0a 01 00 04 00 04 01'],
  ['an answer to nothing asked here', '30 0c 02 01 01 69 07 0a 01 00 04 00 04 00'],
  ['bytes after the message', '30 0c 02 01 01 67 07 0a 01 00 04 00 04 00 00'],
  ['a tag over one byte', '30 05 02 01 01 7f 20'],
]
test.each(UNREADABLE)('the decoder refuses %s', (_name, hex) => {
  expect(() => decodeResponse(bytes(hex))).toThrow(expect.objectContaining({ code: 'ERR_LDAP_MALFORMED' }))
})

const valid = [
  answer(1, result(97, 0)),
  answer(2, result(103, 53, '0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0')),
  answer(3, result(103, 10, 'x', [constructed(0xa3, [text(4, 'ldaps://a/')])])),
  answer(
    4,
    result(103, 0),
    constructed(0xa0, [constructed(0x30, [text(4, '1.2.3'), octets(4, Buffer.of(1))])]),
  ),
  answer(0, result(120, 52, 'bye', [text(0x8a, NOTICE_OF_DISCONNECTION)])),
  answer(9, result(103, 19, 'x'.repeat(70_000))),
]

function readAll(stream: Buffer, slice: number): unknown[] {
  const splitter = createPduSplitter()
  const decoded: unknown[] = []
  for (let at = 0; at < stream.length; at += slice) {
    for (const message of splitter.push(stream.subarray(at, at + slice)))
      decoded.push(decodeResponse(message))
  }
  return decoded
}

test('slices of any size give the same answers', () => {
  const stream = Buffer.concat(valid)
  const whole = readAll(stream, stream.length)
  expect(whole).toHaveLength(valid.length)
  for (const slice of [1, 2, 3, 5, 6, 7, 64, 1460, 16_384]) expect(readAll(stream, slice)).toEqual(whole)
})

function outcomeOf(stream: Buffer, slice: number): string {
  try {
    return JSON.stringify(readAll(stream, slice))
  } catch (error) {
    if (error instanceof WritebackError && error.code === 'ERR_LDAP_MALFORMED') return 'malformed'
    throw error
  }
}

test('20,000 streams of random or damaged bytes give answers or ERR_LDAP_MALFORMED, nothing else', () => {
  const damaged = fc
    .tuple(
      fc.integer({ min: 0, max: valid.length - 2 }),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.nat(200),
    )
    .map(([which, changes, cut]) => {
      const copy = Buffer.from(valid[which] ?? [])
      for (const [at, byte] of changes) copy[at % copy.length] = byte
      return copy.subarray(0, cut % 3 === 0 ? cut : undefined)
    })
  const random = fc.uint8Array({ maxLength: 60 }).map((raw) => Buffer.from(raw))
  const framed = random.map((raw) => encodeFrame(octets(BER.sequence, raw)))
  fc.assert(
    fc.property(fc.oneof(damaged, random, framed), (stream) => {
      expect(outcomeOf(stream, 1)).toBe(outcomeOf(stream, Math.max(1, stream.length)))
    }),
    { numRuns: 20_000 },
  )
})

test('a message of the largest size in single bytes is read in linear time and bounded memory', () => {
  const filler = LONGEST_MESSAGE - 40
  const largest = answer(1, result(103, 0, 'x'.repeat(filler)))
  expect(largest.length).toBeLessThanOrEqual(LONGEST_MESSAGE)
  const before = process.memoryUsage().arrayBuffers
  const started = performance.now()
  expect(readAll(largest, 1)).toHaveLength(1)
  // One that copies what it has for each byte takes minutes.
  expect(performance.now() - started).toBeLessThan(15_000)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * LONGEST_MESSAGE)
})
