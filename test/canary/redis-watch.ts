// Looks at the agent's private Redis from outside, as the user that the test build adds: MONITOR from its first moment,
// and at a call slow log, every key of every type, and what an RDB file would hold.
import { connect } from 'node:net'
import { Redis } from 'ioredis'

/** A running look-out. */
export interface RedisWatch {
  /** All that MONITOR said, with its escapes undone. */
  readonly monitored: () => readonly string[]
  /** Reads the slow log and every key now; writes an RDB file. */
  readonly read: () => Promise<RedisContents>
  /** One command, as the observer. */
  readonly command: (name: string, ...words: (string | Buffer)[]) => Promise<unknown>
  readonly stop: () => void
}

/** What was in a Redis at one moment. */
export interface RedisContents {
  readonly keys: readonly { readonly key: string; readonly type: string; readonly bytes: Buffer }[]
  readonly slowLog: Buffer
  /** Fields of failed jobs that hold errors. */
  readonly errors: Buffer
}

/** Watches the Redis at this socket, also when it ends and another takes its place. */
export function watchRedis(socketPath: string): RedisWatch {
  const chunks: Buffer[] = []
  let isStopped = false
  let socket: ReturnType<typeof connect> | undefined
  const monitor = () => {
    if (isStopped) return
    socket = connect(socketPath)
    socket.on('connect', () => socket?.write('AUTH observer any\r\nMONITOR\r\n'))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => setTimeout(monitor, 10).unref())
  }
  monitor()
  const withClient = async <T>(use: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis({ path: socketPath, username: 'observer', password: 'any' })
    try {
      return await use(client)
    } finally {
      client.disconnect()
    }
  }
  return {
    monitored: () => Buffer.concat(chunks).toString('latin1').split('\n').map(unescapeLine),
    read: () => withClient(readAll),
    command: (name, ...words) => withClient((client) => client.call(name, ...words)),
    stop: () => {
      isStopped = true
      socket?.destroy()
    },
  }
}

const unescapeLine = (line: string): string =>
  line.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

async function readAll(client: Redis): Promise<RedisContents> {
  await client.save()
  const slowLog = await client.callBuffer('SLOWLOG', 'GET', '-1')
  const names = await client.keys('*')
  const keys = await Promise.all(
    names.map(async (key) => {
      const type = await client.type(key)
      return { key, type, bytes: flatten([key, await readKey(client, key, type)]) }
    }),
  )
  const jobs = keys.filter(({ key, type }) => type === 'hash' && /:request-[^:]+$/.test(key))
  const errors = await Promise.all(
    jobs.map(({ key }) => client.hmgetBuffer(key, 'failedReason', 'stacktrace', 'returnvalue')),
  )
  return { keys, slowLog: flatten(slowLog), errors: flatten(errors) }
}

const READS: Readonly<Record<string, (key: string) => readonly [string, ...string[]]>> = {
  string: (key) => ['GET', key],
  hash: (key) => ['HGETALL', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  set: (key) => ['SMEMBERS', key],
  zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
  stream: (key) => ['XRANGE', key, '-', '+'],
}

async function readKey(client: Redis, key: string, type: string): Promise<unknown> {
  const read = READS[type]
  // A key may end between its listing and its reading.
  if (type === 'none') return ''
  if (!read) throw new Error(`no way to read a key of type ${type}`)
  const [name, ...words] = read(key)
  return client.callBuffer(name, ...words)
}

/** All strings of an answer, one a line. */
function flatten(answer: unknown): Buffer {
  const lines = [answer].flat(Number.POSITIVE_INFINITY as 20)
  return Buffer.concat(
    lines.flatMap((line) => [Buffer.isBuffer(line) ? line : Buffer.from(String(line)), Buffer.from('\n')]),
  )
}
