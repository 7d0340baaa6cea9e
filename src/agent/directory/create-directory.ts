// One configured directory: finds its writer, keeps a session with it, and finds it again when it moved or died.
import { WritebackError } from '../../errors/writeback-error.ts'
import { errorFields } from '../../telemetry/logger.ts'
import { openActiveDirectorySession } from './active-directory/open-session.ts'
import { createBindGate } from './bind-gate.ts'
import type { ConnectionSettings } from './bound-channel.ts'
import type { Directory, DirectoryStatus } from './directory.ts'
import type { DirectoryOptions } from './directory-options.ts'
import { openOpenLdapSession } from './openldap/open-session.ts'
import type { OwnedSession, WriterSearch } from './owned-session.ts'
import { parseEndpoint } from './server-endpoint.ts'
import { createTlsTrust } from './tls-trust.ts'

/** Makes a directory; connects at the first use. Throws ERR_CONFIG_INVALID or ERR_DIRECTORY_UNSUITABLE for a wrong URL or CA. */
export function createDirectory(options: DirectoryOptions): Directory {
  const listed = typeof options.controllers === 'function' ? [] : options.controllers
  for (const url of listed) parseEndpoint(url)
  if (options.writer !== undefined && options.writer !== 'pdc-emulator') parseEndpoint(options.writer)
  return new KeptDirectory(options)
}

class KeptDirectory implements Directory {
  readonly name: string
  readonly #options: DirectoryOptions
  readonly #settings: ConnectionSettings
  #session: OwnedSession | undefined
  #connecting: Promise<OwnedSession> | undefined
  #refreshing: Promise<void> | undefined
  #lastError: WritebackError | undefined
  readonly #stopping = new AbortController()

  constructor(options: DirectoryOptions) {
    this.name = options.name
    this.#options = options
    this.#settings = connectionSettings(options)
  }

  async writer(): Promise<OwnedSession> {
    if (this.#stopping.signal.aborted) throw closedError(this.name)
    const session = this.#session
    if (session?.isSound()) {
      this.#refreshing ??= session.refresh().finally(() => {
        this.#refreshing = undefined
      })
      await this.#refreshing
      if (session.isSound()) return session
    }
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  status(): DirectoryStatus {
    const session = this.#session
    return {
      connected: session?.isSound() ?? false,
      ...(session === undefined
        ? {}
        : { server: session.server, url: session.url, clockOffsetMs: session.clockOffsetMs() }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#session?.stop()
    this.#session = undefined
    await this.#connecting?.catch(() => {})
  }

  async #connect(): Promise<OwnedSession> {
    const { log } = this.#options
    try {
      const next = await openSession(this.#options, {
        settings: this.#settings,
        lastUrl: this.#session?.url,
        signal: this.#stopping.signal,
      })
      this.#take(next)
      return next
    } catch (error) {
      this.#lastError = translate(this.name, error)
      log.debug('no writer', { directory: this.name, ...errorFields(this.#lastError) })
      throw this.#lastError
    }
  }

  #take(next: OwnedSession): void {
    if (this.#stopping.signal.aborted) {
      next.stop()
      throw closedError(this.name)
    }
    const { url, server } = next
    if (this.#session?.server !== server) {
      this.#options.log.info('writer in use', { directory: this.name, url, server })
    }
    this.#session?.retire()
    this.#session = next
    this.#lastError = undefined
  }
}

const openSession = (options: DirectoryOptions, search: WriterSearch): Promise<OwnedSession> =>
  options.kind === 'openldap'
    ? openOpenLdapSession(options, search)
    : openActiveDirectorySession(options, search)

function connectionSettings(options: DirectoryOptions): ConnectionSettings {
  return {
    trust: createTlsTrust(options.tls),
    bindName: options.bindName,
    gate: createBindGate({
      clock: options.clock,
      readPassword: options.readBindPassword,
      backoff: options.bindBackoff,
      memory: options.refusalMemory,
    }),
    connectTimeoutMs: options.connectTimeoutMs,
    operationTimeoutMs: options.operationTimeoutMs,
  }
}

function translate(name: string, cause: unknown): WritebackError {
  if (cause instanceof WritebackError) return cause
  return new WritebackError('ERR_INTERNAL', `directory ${name}: no writer`, { retry: 'later', cause })
}

function closedError(name: string): WritebackError {
  return new WritebackError('ERR_DIRECTORY_CLOSED', `directory ${name} is stopped`, { retry: 'later' })
}
