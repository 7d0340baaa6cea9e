// A private Redis for one test: on a unix socket without a port, or by URL with a password on a loopback address of its
// own, plain or with TLS. It ends with the test process.
import { readFile, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { redisPassword } from './canaries.ts'
import { startReadyChild, type TestChild } from './child-process.ts'
import { takeLoopbackAddress } from './loopback-address.ts'
import { makeScratchDirectory, removeScratchDirectory } from './scratch-directory.ts'
import { type TestCa, testCa } from './test-ca.ts'

/** How a test Redis listens and what is unusual about it. */
export interface RedisOptions {
  /** `unix` (default): socket only, no password. `tcp`, `tls`: port 6379 of an own address, password `redisPassword`. */
  readonly transport?: 'unix' | 'tcp' | 'tls'
  /** Lines of redis.conf that replace or add to the safe ones. A value of '' is written as "". */
  readonly settings?: Readonly<Record<string, string>>
}

/** A running test Redis. */
export interface TestRedis {
  /** `unix:/path`, `redis://address:6379` or `rediss://address:6379`, never with the password in it. */
  readonly url: string
  /** Undefined on TCP. */
  readonly socketPath: string | undefined
  /** Loopback address; undefined on a unix socket. */
  readonly address: string | undefined
  readonly directory: string
  readonly pid: number
  /** SIGTERM, and the files are removed. */
  readonly stop: () => Promise<void>
  /** SIGKILL; the files stay. */
  readonly kill: () => Promise<void>
  /** SIGSTOP. */
  readonly pause: () => void
  readonly resume: () => void
  /** Starts again on the same files, after `kill()` or from running. `settings` replace those of the start. */
  readonly restart: (settings?: Readonly<Record<string, string>>) => Promise<void>
}

/** Starts a Redis with an append-only file and `noeviction`. The caller stops it. */
export async function startRedisServer(options: RedisOptions = {}): Promise<TestRedis> {
  const transport = options.transport ?? 'unix'
  const [ca, loopback] = await Promise.all([
    testCa(),
    transport === 'unix' ? undefined : takeLoopbackAddress(),
  ])
  const directory = makeScratchDirectory()
  const address = loopback?.address
  const place: Place = { transport, directory, address, ca }
  const release = async () => {
    await loopback?.release()
    await removeScratchDirectory(directory)
  }
  let child = await launch(place, options.settings ?? {}).catch(async (error: unknown) => {
    await release()
    throw error
  })
  return {
    url: urlOf(place),
    socketPath: address === undefined ? socketOf(directory) : undefined,
    address,
    directory,
    get pid() {
      return child.pid
    },
    kill: () => child.end('SIGKILL'),
    pause: () => child.pause(),
    resume: () => child.resume(),
    restart: async (settings = options.settings ?? {}) => {
      await child.end('SIGKILL')
      child = await launch(place, settings)
    },
    stop: async () => {
      await child.end('SIGTERM')
      await release()
    },
  }
}

interface Place {
  readonly transport: 'unix' | 'tcp' | 'tls'
  readonly directory: string
  readonly address: string | undefined
  readonly ca: TestCa
}

const PORT = 6379
const socketOf = (directory: string): string => path.join(directory, 'redis.sock')

function urlOf({ transport, directory, address }: Place): string {
  if (transport === 'unix') return `unix:${socketOf(directory)}`
  return `${transport === 'tls' ? 'rediss' : 'redis'}://${address}:${PORT}`
}

async function launch(place: Place, settings: Readonly<Record<string, string>>): Promise<TestChild> {
  const file = path.join(place.directory, 'redis.conf')
  const outputFile = path.join(place.directory, 'output')
  await writeFile(file, configuration(place, settings), { mode: 0o600 })
  const trusted = await readFile(place.ca.caFile)
  return startReadyChild({ command: 'redis-server', args: [file], outputFile }, () =>
    answersPing(place, trusted),
  )
}

function configuration(place: Place, settings: Readonly<Record<string, string>>): string {
  const all = {
    dir: place.directory,
    save: '',
    appendonly: 'yes',
    appendfsync: 'always',
    'maxmemory-policy': 'noeviction',
    ...transportSettings(place),
    ...settings,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name} ${value === '' ? '""' : value}\n`)
  return lines.join('')
}

function transportSettings({ transport, directory, address, ca }: Place): Record<string, string> {
  if (transport === 'unix') return { port: '0', unixsocket: socketOf(directory), unixsocketperm: '600' }
  const shared = { bind: String(address), requirepass: redisPassword().toString() }
  if (transport === 'tcp') return { ...shared, port: String(PORT) }
  return {
    ...shared,
    port: '0',
    'tls-port': String(PORT),
    'tls-cert-file': ca.server.certFile,
    'tls-key-file': ca.server.keyFile,
    'tls-ca-cert-file': ca.caFile,
    'tls-auth-clients': 'no',
  }
}

/** True when Redis answers, be it only that it wants a password. */
function answersPing({ transport, directory, address }: Place, ca: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const socket =
      transport === 'unix'
        ? net.connect(socketOf(directory))
        : transport === 'tcp'
          ? net.connect(PORT, address)
          : tls.connect({ host: String(address), port: PORT, ca })
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(500, () => done(false))
    socket.on('error', () => done(false))
    socket.on('close', () => done(false))
    socket.on('data', (data: Buffer) => done(/^(\+PONG|-NOAUTH)/.test(data.toString())))
    socket.write('PING\r\n')
  })
}
