// Answers of a directory, right ones and bent ones: BER made by hand, so that it may be as wrong as one likes. What a run of
// bytes really says to one request is read here once more, by itself.
import type { Random } from './random.ts'

/** What is sent back for one request, in pieces with rests between them. */
export interface LdapAnswer {
  readonly bend: string
  readonly pieces: readonly Buffer[]
  /** Rest before each piece but the first, in milliseconds. */
  readonly restMs: number
  /** Ends the connection after the last piece. */
  readonly ends: boolean
}

/** One element: a tag and a length before content. `form` may be the long one that Windows always uses. */
export function element(tag: number, content: Buffer, form: 'short' | 'long' = 'short'): Buffer {
  const { length } = content
  const header =
    form === 'short' && length < 0x80
      ? Buffer.of(tag, length)
      : Buffer.of(
          tag,
          0x84,
          (length >>> 24) & 0xff,
          (length >>> 16) & 0xff,
          (length >>> 8) & 0xff,
          length & 0xff,
        )
  return Buffer.concat([header, content])
}

const number = (tag: number, value: number): Buffer => {
  const bytes = Buffer.alloc(5)
  bytes.writeIntBE(value, 0, 5)
  let start = 0
  while (start < 4 && bytes[start] === 0 && (bytes[start + 1] ?? 0) < 0x80) start += 1
  return element(tag, bytes.subarray(start))
}
const text = (value: string): Buffer => element(0x04, Buffer.from(value))

/** A whole result message. */
export function resultMessage(
  messageId: number,
  tag: number,
  code: number,
  more: { readonly diagnostic?: string; readonly tail?: Buffer; readonly form?: 'short' | 'long' } = {},
): Buffer {
  const body = [number(0x0a, code), text(''), text(more.diagnostic ?? ''), more.tail ?? Buffer.alloc(0)]
  return element(
    0x30,
    Buffer.concat([number(0x02, messageId), element(tag, Buffer.concat(body), more.form)]),
    more.form,
  )
}

/** One entry of a search. */
export function entryMessage(
  messageId: number,
  dn: string,
  attributes: Readonly<Record<string, readonly Buffer[]>>,
): Buffer {
  const list = Object.entries(attributes).map(([name, values]) =>
    element(
      0x30,
      Buffer.concat([text(name), element(0x31, Buffer.concat(values.map((value) => element(0x04, value))))]),
    ),
  )
  const body = Buffer.concat([text(dn), element(0x30, Buffer.concat(list))])
  return element(0x30, Buffer.concat([number(0x02, messageId), element(0x64, body)]))
}

const NOTICE = element(0x8a, Buffer.from('1.3.6.1.4.1.1466.20036'))
const CODES = [
  0,
  1,
  3,
  8,
  10,
  11,
  12,
  14,
  16,
  19,
  20,
  32,
  49,
  50,
  51,
  52,
  53,
  80,
  122,
  123,
  4096,
  2 ** 31 - 1,
]
const DIAGNOSTICS = [
  '',
  '0000052D: Constraint violation',
  '00000056: AtrErr',
  '00002035',
  'data 775',
  'x'.repeat(100_000),
  '\u0000\u001b[2J',
  '\u202e',
]

type Bend = (
  good: Buffer,
  random: Random,
  messageId: number,
) => Partial<LdapAnswer> & { pieces: readonly Buffer[] }
const whole = (bytes: Buffer) => ({ pieces: [bytes] })

const BENDS: Readonly<Record<string, Bend>> = {
  none: (good) => whole(good),
  'flipped bits': (good, random) => {
    const bytes = Buffer.from(good)
    for (let count = 1 + random.int(4); count > 0; count -= 1) {
      const where = random.int(bytes.length)
      bytes[where] = (bytes[where] ?? 0) ^ (1 << random.int(8))
    }
    return whole(bytes)
  },
  'any byte anywhere': (good, random) => {
    const bytes = Buffer.from(good)
    for (let count = 1 + random.int(4); count > 0; count -= 1)
      bytes[random.int(bytes.length)] = random.int(256)
    return whole(bytes)
  },
  'bytes cut out or doubled': (good, random) => {
    const from = random.int(good.length)
    const to = from + random.int(good.length - from)
    return whole(
      random.chance(0.5)
        ? Buffer.concat([good.subarray(0, from), good.subarray(to)])
        : Buffer.concat([good.subarray(0, to), good.subarray(from)]),
    )
  },
  'half a message, then silence': (good, random) => whole(good.subarray(0, 1 + random.int(good.length - 1))),
  'half a message, then the end': (good, random) => ({
    pieces: [good.subarray(0, random.int(good.length))],
    ends: true,
  }),
  'nothing, then the end': () => ({ pieces: [], ends: true }),
  silence: () => ({ pieces: [] }),
  'another message id': (_good, random, messageId) =>
    whole(
      resultMessage(random.pick([0, messageId + 1, messageId - 1, 2 ** 31 - 1, messageId + 256]), 0x67, 0),
    ),
  'no number as message id': (_good, random) =>
    whole(
      element(
        0x30,
        Buffer.concat([
          element(
            0x02,
            random.pick([Buffer.alloc(0), Buffer.alloc(5, 0), Buffer.alloc(9, 1), Buffer.of(0xff)]),
          ),
          element(0x67, Buffer.concat([number(0x0a, 0), text(''), text('')])),
        ]),
      ),
    ),
  'another kind of answer': (_good, random, messageId) =>
    whole(
      resultMessage(
        messageId,
        random.pick([0x61, 0x65, 0x69, 0x6b, 0x6d, 0x6f, 0x73, 0x78, 0x79, 0x67 + 1]),
        random.pick([0, 53]),
      ),
    ),
  'a search entry': (_good, random, messageId) =>
    whole(entryMessage(messageId, 'CN=x', { a: [random.bytes(random.int(50))] })),
  'a result code': (_good, random, messageId) =>
    whole(resultMessage(messageId, 0x67, random.pick(CODES), { diagnostic: random.pick(DIAGNOSTICS) })),
  'a result code of an odd size': (_good, random, messageId) => {
    const code = element(
      0x0a,
      random.pick([Buffer.alloc(0), Buffer.alloc(5), Buffer.of(0x80), Buffer.of(0, 0, 0, 0)]),
    )
    return whole(
      element(
        0x30,
        Buffer.concat([number(0x02, messageId), element(0x67, Buffer.concat([code, text(''), text('')]))]),
      ),
    )
  },
  'long lengths': (_good, random, messageId) =>
    whole(resultMessage(messageId, 0x67, random.pick([0, 19]), { form: 'long' })),
  'a huge length': (good, random) => {
    const size = random.pick([0x00100001, 0x00ffffff, 0x7fffffff, 0xffffffff])
    const header = Buffer.from([0x30, 0x84, 0, 0, 0, 0])
    header.writeUInt32BE(size, 2)
    return whole(Buffer.concat([header, good]))
  },
  'a length of many bytes': (good, random) =>
    whole(Buffer.concat([Buffer.of(0x30, 0x80 | random.pick([0, 5, 8, 126, 127])), good, random.bytes(130)])),
  'an inner length over the edge': (good, random) => {
    const bytes = Buffer.from(good)
    bytes[random.pick([3, 6, 9].filter((at) => at < bytes.length))] = random.pick([0x7f, 0xff, 0x84, 0x80])
    return whole(bytes)
  },
  'a value beyond its set': (good) => {
    const bytes = Buffer.from(good)
    const set = bytes.lastIndexOf(0x31)
    if (set >= 0) bytes[set + 1] = 0x2b
    return whole(bytes)
  },
  'tags of two bytes': (good) => whole(Buffer.concat([Buffer.of(0x30, 0x03, 0x1f, 0x81, 0x00), good])),
  'no LDAP at all': (_good, random) =>
    whole(
      random.pick([
        Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
        random.bytes(1 + random.int(200)),
        Buffer.alloc(64),
      ]),
    ),
  'a notice of disconnection': (good, random) => {
    const notice = resultMessage(0, 0x78, random.pick([2, 51, 52, 80]), { tail: NOTICE })
    return whole(random.chance(0.5) ? notice : Buffer.concat([notice, good]))
  },
  'the answer, then a notice': (good) =>
    whole(Buffer.concat([good, resultMessage(0, 0x78, 52, { tail: NOTICE })])),
  'the answer, then more': (good, random, messageId) =>
    whole(Buffer.concat([good, random.pick([good, random.bytes(20), resultMessage(messageId, 0x67, 53)])])),
  'a refusal, then success': (good, random, messageId) =>
    whole(Buffer.concat([resultMessage(messageId, 0x67, random.pick([16, 19, 53])), good])),
  'byte by byte': (good) => ({ pieces: [...good].map((byte) => Buffer.of(byte)), restMs: 0 }),
  'a slow drip': (good) => ({ pieces: [...good.subarray(0, -1)].map((byte) => Buffer.of(byte)), restMs: 30 }),
  'with controls and unknown parts': (_good, random, messageId) => {
    const control = element(0x30, Buffer.concat([text('1.2.3'), element(0x01, Buffer.of(0xff)), text('x')]))
    const controls = element(
      0xa0,
      random.pick([control, Buffer.concat([control, control]), random.bytes(10)]),
    )
    const body = element(0x67, Buffer.concat([number(0x0a, random.pick([0, 50])), text(''), text('')]))
    return whole(element(0x30, Buffer.concat([number(0x02, messageId), body, controls])))
  },
  'deep nesting': (_good, random, messageId) => {
    let nested: Buffer = Buffer.alloc(0)
    for (let depth = random.pick([20, 2000]); depth > 0; depth -= 1) nested = element(0x30, nested)
    return whole(element(0x30, Buffer.concat([number(0x02, messageId), element(0x67, nested)])))
  },
  referrals: (_good, random, messageId) => {
    const tail = element(0xa3, Buffer.concat([text('ldap://attacker.test/'), text(random.pick(DIAGNOSTICS))]))
    return whole(resultMessage(messageId, 0x67, random.pick([10, 0]), { tail }))
  },
}

/** The ways there are to bend an answer. */
export const LDAP_BENDS: readonly string[] = Object.keys(BENDS)

/** Bends a good answer in one named way. */
export function bendAnswer(bend: string, good: Buffer, messageId: number, random: Random): LdapAnswer {
  const make = BENDS[bend]
  if (make === undefined) throw new Error(`no way to bend an answer: ${bend}`)
  return { bend, restMs: 0, ends: false, ...make(good, random, messageId) }
}

/** What the bytes say to a modify: the first whole message decides. Written anew on purpose. */
export function meaningOf(bytes: Buffer, messageId: number): 'success' | 'refusal' | 'nothing' {
  const message = open(bytes, 0, bytes.length)
  if (message?.tag !== 0x30) return 'nothing'
  const id = open(bytes, message.from, message.to)
  if (id?.tag !== 0x02 || numberOf(bytes, id) !== messageId) return 'nothing'
  const operation = open(bytes, id.to, message.to)
  if (operation === undefined || (operation.tag !== 0x67 && operation.tag !== 0x78)) return 'nothing'
  const code = open(bytes, operation.from, operation.to)
  const value = code?.tag === 0x0a ? numberOf(bytes, code) : undefined
  if (value === undefined) return 'nothing'
  if (value !== 0) return 'refusal'
  return operation.tag === 0x67 ? 'success' : 'nothing'
}

interface Opened {
  readonly tag: number
  readonly from: number
  readonly to: number
}

function open(bytes: Buffer, at: number, end: number): Opened | undefined {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined || at + 2 > end) return undefined
  const size = first < 0x80 ? 0 : first & 0x7f
  if (first === 0x80 || size > 4 || at + 2 + size > end) return undefined
  const length = size === 0 ? first : bytes.readUIntBE(at + 2, size)
  const from = at + 2 + size
  return from + length > end ? undefined : { tag, from, to: from + length }
}

function numberOf(bytes: Buffer, { from, to }: Opened): number | undefined {
  if (to - from < 1 || to - from > 4 || (bytes[from] ?? 0) >= 0x80) return undefined
  return bytes.readUIntBE(from, to - from)
}
