// The files of the private Redis: its settings, its one user, and the password of that user.
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WritebackError } from '../../errors/writeback-error.ts'

/** Paths of one private Redis, all below its 0700 directory, and the password of its one user. */
export interface PrivateRedisFiles {
  readonly config: string
  readonly socket: string
  readonly data: string
  readonly pid: string
  readonly username: string
  readonly password: string
}

const USERNAME = 'agent'
// sockaddr_un holds 108 bytes with the closing zero.
const LONGEST_SOCKET_PATH = 107

/** Writes what Redis reads at start. Throws ERR_REDIS_START. */
export function writePrivateRedisFiles(directory: string): PrivateRedisFiles {
  const at = (name: string) => join(directory, name)
  const socket = at('redis.sock')
  if (Buffer.byteLength(socket) > LONGEST_SOCKET_PATH)
    throw new WritebackError(
      'ERR_REDIS_START',
      `the path of the socket is longer than ${LONGEST_SOCKET_PATH} bytes: ${socket}`,
    )
  try {
    mkdirSync(at('data'), { recursive: true, mode: 0o700 })
    for (const path of [directory, at('data')]) chmodSync(path, 0o700)
    const password = keepPassword(at('password'))
    writePrivate(at('users.acl'), users(password))
    writePrivate(at('redis.conf'), settings(socket, at('data'), at('users.acl')))
    return {
      config: at('redis.conf'),
      socket,
      data: at('data'),
      pid: at('pid'),
      username: USERNAME,
      password,
    }
  } catch (cause) {
    throw new WritebackError(
      'ERR_REDIS_START',
      `cannot write the files of the private Redis in ${directory}`,
      {
        cause,
      },
    )
  }
}

/** Puts the data away, so that Redis starts empty. Gives the way back; undefined when there is nothing to put away. */
export function putDataAway(files: PrivateRedisFiles): { readonly to: string; undo: () => void } | undefined {
  const to = `${files.data}.damaged`
  if (!existsSync(files.data)) return undefined
  rmSync(to, { recursive: true, force: true })
  renameSync(files.data, to)
  mkdirSync(files.data, { mode: 0o700 })
  return {
    to,
    undo: () => {
      rmSync(files.data, { recursive: true, force: true })
      renameSync(to, files.data)
    },
  }
}

function keepPassword(path: string): string {
  if (!existsSync(path)) writePrivate(path, randomBytes(32).toString('hex'))
  chmodSync(path, 0o600)
  return readFileSync(path, 'utf8').trim()
}

function writePrivate(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 })
  chmodSync(path, 0o600)
}

// Only the hash is written here. No command that reads or changes the server, or every key at once.
function users(password: string): string {
  const hash = createHash('sha256').update(password).digest('hex')
  const rights =
    '~wb:* &wb:* +@all -@admin -@dangerous +info +ping +client|setname +client|id +client|getname +client|list'
  return `user default off\nuser ${USERNAME} on #${hash} ${rights}\n`
}

function settings(socket: string, data: string, acl: string): string {
  return [
    'port 0',
    `unixsocket ${JSON.stringify(socket)}`,
    'unixsocketperm 600',
    `dir ${JSON.stringify(data)}`,
    `aclfile ${JSON.stringify(acl)}`,
    'daemonize no',
    'databases 1',
    // The queue can be made again from the journal, so one second may be lost; `always` would cost every job 3 ms.
    'appendonly yes',
    'appendfsync everysec',
    'aof-load-truncated yes',
    'save ""',
    'maxmemory-policy noeviction',
    // The command line keeps our path, by which a left-over is known.
    'set-proc-title no',
    '',
  ].join('\n')
}
