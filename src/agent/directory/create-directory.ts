// One configured Active Directory: finds its writer, keeps a session with it, and finds it again when it moved or died.
import type { BackoffLimits } from '../../clock/backoff.ts'
import type { Clock } from '../../clock/clock.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import { errorFields, type Logger } from '../../telemetry/logger.ts'
import type { AnchorAttribute } from './active-directory/find-subject.ts'
import { findWriter } from './active-directory/find-writer.ts'
import { type OwnedSession, openWriterSession } from './active-directory/writer-session.ts'
import { createBindGate } from './bind-gate.ts'
import type { ConnectionSettings } from './bound-channel.ts'
import type { Directory, DirectoryStatus } from './directory.ts'
import { parseEndpoint } from './server-endpoint.ts'
import { createTlsTrust, type TrustOptions } from './tls-trust.ts'

/** How one directory is reached. */
export interface DirectoryOptions {
  readonly name: string
  /** ldaps URLs, asked in this order. */
  readonly controllers: readonly string[]
  /** `pdc-emulator`, or the URL of the one controller that takes the writes. */
  readonly writer: string
  readonly baseDn: string
  /** Which accounts may be written: units by DN, groups by DN or SID. Default: all below `baseDn`. */
  readonly scope?: {
    readonly units?: readonly string[] | undefined
    readonly groups?: readonly string[] | undefined
  }
  /** Whose members are protected beside the well-known ones: groups by DN or SID. */
  readonly protection?: { readonly groups?: readonly string[] | undefined }
  readonly bindName: string
  /** Gives a fresh Buffer each time, which is wiped after use. */
  readonly readBindPassword: () => Promise<Buffer>
  readonly tls: TrustOptions
  /** The attribute that the anchors of requests are in. Default objectGUID. */
  readonly anchor?: AnchorAttribute
  /** Default adminDisplayName. */
  readonly markerAttribute?: string
  /** Whether a reset needs a server that enforces password history. Default: required, but not of Samba, which never does. */
  readonly history?: 'required' | 'preferred'
  /** Write connections, and as many read connections, at most. */
  readonly connections: number
  readonly connectTimeoutMs: number
  readonly operationTimeoutMs: number
  /** How long no bind is tried after a refused one. Default: from 1 to 30 minutes. */
  readonly bindBackoff?: BackoffLimits
  readonly log: Logger
  readonly clock: Clock
}

const MARKER_ATTRIBUTE = 'adminDisplayName'

/** Makes a directory; connects at the first use. Throws ERR_CONFIG_INVALID or ERR_DIRECTORY_UNSUITABLE for a wrong URL or CA. */
export function createDirectory(options: DirectoryOptions): Directory {
  for (const url of options.controllers) parseEndpoint(url)
  if (options.writer !== 'pdc-emulator') parseEndpoint(options.writer)
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
      const next = await openSession(this.#options, this.#settings, this.#session?.url, this.#stopping.signal)
      this.#take(next)
      return next
    } catch (error) {
      this.#lastError = translate(this.name, error)
      log.debug('no writer domain controller', { directory: this.name, ...errorFields(this.#lastError) })
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
      this.#options.log.info('writer domain controller in use', { directory: this.name, url, server })
    }
    this.#session?.retire()
    this.#session = next
    this.#lastError = undefined
  }
}

async function openSession(
  options: DirectoryOptions,
  settings: ConnectionSettings,
  lastUrl: string | undefined,
  signal: AbortSignal,
): Promise<OwnedSession> {
  const { writer, baseDn, tls, clock } = options
  // The last writer is most likely the next one, and a dead controller before it would cost its whole deadline.
  const controllers = options.controllers.toSorted((a, b) => Number(b === lastUrl) - Number(a === lastUrl))
  const serverName = tls.serverName === undefined ? {} : { serverName: tls.serverName }
  const found = await findWriter({ controllers, writer, baseDn, signal, clock, ...serverName }, settings)
  return openWriterSession({
    found,
    settings,
    rules: {
      baseDn,
      units: options.scope?.units,
      groups: options.scope?.groups,
      protectedGroups: options.protection?.groups,
    },
    markerAttribute: options.markerAttribute ?? MARKER_ATTRIBUTE,
    anchor: options.anchor ?? 'objectGUID',
    ...(options.history === undefined ? {} : { history: options.history }),
    connections: options.connections,
    clock: options.clock,
    followsRole: options.writer === 'pdc-emulator',
  })
}

function connectionSettings(options: DirectoryOptions): ConnectionSettings {
  return {
    trust: createTlsTrust(options.tls),
    bindName: options.bindName,
    gate: createBindGate({
      clock: options.clock,
      readPassword: options.readBindPassword,
      backoff: options.bindBackoff,
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
