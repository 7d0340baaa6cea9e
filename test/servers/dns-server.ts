// A small DNS server on loopback, UDP and TCP on one port: answers SRV, A and AAAA questions from a table, or misbehaves as told.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'

/** One SRV record (RFC 2782). The target is written into the answer as it is, label by label. */
export interface SrvEntry {
  readonly target: string
  readonly priority?: number
  readonly weight?: number
  readonly port?: number
}

/** What is answered, by name in lower case; what is not there does not exist. */
export interface DnsTable {
  readonly srv?: Readonly<Record<string, readonly SrvEntry[]>>
  /** IPv4 addresses. */
  readonly hosts?: Readonly<Record<string, string>>
}

/** How it answers. `cut`: over UDP only that the answer is too long, so that the question comes again over TCP. */
export type DnsManner =
  | 'honest'
  | 'silent'
  | 'refuses'
  | 'fails'
  | 'garbage'
  | 'half'
  | 'foreign-id'
  | 'endless-name'
  | 'cut'

/** A running server. */
export interface DnsServer {
  /** As configured: `127.0.0.1:PORT`. */
  readonly address: string
  /** From now on. */
  readonly answer: (table: DnsTable, manner?: DnsManner) => void
  /** Every name that was asked for, in lower case, with the type in front: `SRV _ldap._tcp…`. */
  readonly asked: () => readonly string[]
  readonly stop: () => Promise<void>
}

const TYPES: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA', 33: 'SRV' }
const [NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME, REFUSED] = [0, 2, 3, 5]

/** Starts a server that knows nothing yet. The caller stops it; it keeps no process alive. */
export async function startDnsServer(): Promise<DnsServer> {
  let table: DnsTable = {}
  let manner: DnsManner = 'honest'
  const names: string[] = []
  const respond = (query: Buffer, isUdp: boolean): Buffer | undefined => {
    const question = readQuestion(query)
    names.push(`${TYPES[question.type] ?? question.type} ${question.name}`)
    return answerTo(query, question, table, isUdp || manner !== 'cut' ? manner : 'honest')
  }
  const { tcp, udp, port } = await listenOnBoth()
  tcp.on('connection', (socket) => serveTcp(socket, respond))
  udp.on('message', (query, from) => {
    const answer = respond(query, true)
    if (answer !== undefined) udp.send(answer, from.port, from.address)
  })
  return {
    address: `127.0.0.1:${port}`,
    answer: (next, how = 'honest') => {
      table = next
      manner = how
    },
    asked: () => names,
    stop: async () => {
      udp.close()
      tcp.close()
    },
  }
}

/** Takes a port that is free for both; the next one where another process has one half. */
async function listenOnBoth(): Promise<{ tcp: Server; udp: UdpSocket; port: number }> {
  const tcp = createServer().listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const { port } = tcp.address() as { port: number }
  const udp = createSocket('udp4')
  try {
    udp.bind(port, '127.0.0.1')
    await once(udp, 'listening')
  } catch {
    tcp.close()
    return listenOnBoth()
  }
  tcp.unref()
  udp.unref()
  return { tcp, udp, port }
}

function serveTcp(socket: Socket, respond: (query: Buffer, isUdp: boolean) => Buffer | undefined): void {
  let received = Buffer.alloc(0)
  socket.unref()
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    received = Buffer.concat([received, bytes])
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0)
      const answer = respond(received.subarray(2, end), false)
      received = received.subarray(end)
      if (answer !== undefined) socket.write(Buffer.concat([number16(answer.length), answer]))
    }
  })
}

interface Question {
  readonly name: string
  readonly type: number
  /** Where the question ends in the query. */
  readonly end: number
}

function readQuestion(query: Buffer): Question {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function answerTo(query: Buffer, question: Question, table: DnsTable, manner: DnsManner): Buffer | undefined {
  const answers = recordsOf(question, table)
  const whole = message(query, question, answers ?? [], answers === undefined ? NO_SUCH_NAME : NO_ERROR)
  switch (manner) {
    case 'silent':
      return undefined
    case 'refuses':
      return message(query, question, [], REFUSED)
    case 'fails':
      return message(query, question, [], SERVER_FAILURE)
    case 'garbage':
      return Buffer.concat([query.subarray(0, 2), Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')])
    case 'half':
      return whole.subarray(0, question.end + Math.ceil((whole.length - question.end) / 2))
    case 'foreign-id':
      whole.writeUInt16BE(whole.readUInt16BE(0) ^ 0x5555, 0)
      return whole
    case 'endless-name':
      // The target points at itself.
      return message(query, question, [
        record(33, Buffer.concat([Buffer.alloc(6), number16(0xc000 | (question.end + 18))])),
      ])
    case 'cut':
      return message(query, question, [], NO_ERROR, true)
    case 'honest':
      return whole
  }
}

/** The records that answer a question; undefined: there is no such name. */
function recordsOf(
  { name, type }: Question,
  { srv = {}, hosts = {} }: DnsTable,
): readonly Buffer[] | undefined {
  const address = hosts[name]
  const entries = srv[name]
  if (address === undefined && entries === undefined) return undefined
  if (TYPES[type] === 'A' && address !== undefined)
    return [record(type, Buffer.from(address.split('.').map(Number)))]
  if (TYPES[type] !== 'SRV' || entries === undefined) return []
  return entries.map(({ target, priority = 0, weight = 100, port = 389 }) =>
    record(type, Buffer.concat([number16(priority), number16(weight), number16(port), nameBytes(target)])),
  )
}

function message(
  query: Buffer,
  { end }: Question,
  answers: readonly Buffer[],
  code = NO_ERROR,
  isCut = false,
): Buffer {
  const flags = 0x8580 | (isCut ? 0x0200 : 0) | code
  const counts = [1, answers.length, 0, 0].map(number16)
  return Buffer.concat([
    query.subarray(0, 2),
    number16(flags),
    ...counts,
    query.subarray(12, end),
    ...answers,
  ])
}

/** A record of the name that was asked for, good for a minute. */
const record = (type: number, data: Buffer): Buffer =>
  Buffer.concat([
    number16(0xc00c),
    number16(type),
    number16(1),
    Buffer.from([0, 0, 0, 60]),
    number16(data.length),
    data,
  ])

const nameBytes = (name: string): Buffer =>
  Buffer.concat([
    ...name
      .split('.')
      .filter((label) => label !== '')
      .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.alloc(1),
  ])

const number16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff])
