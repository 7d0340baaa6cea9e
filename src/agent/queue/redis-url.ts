// A Redis that somebody else runs, named by URL. Its password comes from a file, never from the URL.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { readCertificates } from '../../config/pem-file.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import type { RedisConnection } from './redis-connection.ts'

/** How the configuration names an external Redis. */
export interface RedisUrlOptions {
  /** `redis://host:port/db`, `rediss://…`, or `unix:///path/to/socket`; `user@` names the user. */
  readonly url: string
  readonly passwordFile?: string | undefined
  /** PEM; without it the system's roots count. */
  readonly caFile?: string | undefined
}

/** Reads the URL and the files it needs. Throws ERR_CONFIG_INVALID or ERR_CONFIG_UNREADABLE. */
export function readRedisUrl(options: RedisUrlOptions): RedisConnection {
  const url = parse(options.url)
  const password = options.passwordFile === undefined ? undefined : readPassword(options.passwordFile)
  return {
    ...address(url, options.caFile),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(password === undefined ? {} : { password }),
  }
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['redis:', 'rediss:', 'unix:'].includes(url.protocol))
    throw invalid('the Redis URL must begin with redis://, rediss:// or unix://')
  if (url.password !== '') throw invalid('the Redis URL must not hold a password: name a password file')
  return url
}

function address(url: URL, caFile: string | undefined): RedisConnection {
  if (url.protocol === 'unix:') {
    return { path: decodeURIComponent(url.pathname), db: database(url.searchParams.get('db') ?? '') }
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (host === '') throw invalid('the Redis URL names no host')
  const plain = { host, port: Number(url.port || 6379), db: database(url.pathname.slice(1)) }
  if (url.protocol === 'redis:') return plain
  return {
    ...plain,
    tls: {
      // Said aloud, or an environment variable of Node.js could switch the check off.
      rejectUnauthorized: true,
      // A server name must not be an address (RFC 6066, section 3); addresses are compared without it.
      ...(isIP(host) ? {} : { servername: host }),
      ...(caFile === undefined ? {} : { ca: readCertificates(caFile) }),
    },
  }
}

function database(text: string): number {
  if (!/^\d{0,4}$/.test(text)) throw invalid('the database in the Redis URL must be a number')
  return Number(text)
}

function readPassword(path: string): string {
  const bytes = read(path)
  const password = bytes.toString('utf8').replace(/\r?\n$/, '')
  bytes.fill(0)
  return password
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new WritebackError('ERR_CONFIG_UNREADABLE', `cannot read ${path}`, { cause })
  }
}

function invalid(fault: string): WritebackError {
  return new WritebackError('ERR_CONFIG_INVALID', fault)
}
