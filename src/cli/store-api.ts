// How the store's commands reach its administrative calls: over HTTPS, with the token of an administrator.
import { Agent, request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { z } from 'zod'
import { readCertificates, readKey } from '../config/pem-file.ts'
import { readSecretFile } from '../config/secret-file.ts'
import { ADMIN_TOKEN_FILE, readStoreConfig } from '../config/store-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { ENDPOINTS, type Endpoint, type EndpointName, pathOf } from '../protocol/endpoints.ts'
import { foreignProblemSchema } from '../protocol/problem.ts'
import { PROBLEMS, type ProblemCode } from '../protocol/problem-codes.ts'
import { parseDocument } from '../protocol/signed-message.ts'
import { parseStrictJson } from '../protocol/strict-json.ts'
import type { Io } from './io.ts'
import { StoreRefusal } from './store-refusal.ts'
import { refuseUnsafeRuntime } from './unsafe-runtime.ts'

/** The words by which every command of the store is told where the store is. */
export interface StoreWords {
  readonly config?: string
  readonly url?: string
  readonly caFile?: string
  readonly tokenFile?: string
  readonly clientCertificateFile?: string
  readonly clientKeyFile?: string
}

type AnswerOf<Name extends EndpointName> = (typeof ENDPOINTS)[Name] extends {
  readonly answer: infer S extends z.ZodType
}
  ? z.output<S>
  : undefined

/** Calls one endpoint by its name. Throws ERR_STORE_REJECTED with the problem code, and the errors of a connection. */
export type CallStore = <Name extends EndpointName>(
  name: Name,
  call?: {
    readonly body?: unknown
    readonly parameters?: Readonly<Record<string, string>>
    readonly query?: Readonly<Record<string, string>>
  },
) => Promise<AnswerOf<Name>>

const LONGEST_CALL_MS = 20_000

/** Adds the words of `StoreWords` to a command. */
export const withStoreWords = (command: Command): Command =>
  command
    .option('--config <file>', 'the store’s configuration, on its own host')
    .option('--url <url>', 'or: where the store is')
    .option('--ca-file <file>', 'with --url: authority of the store’s certificate, PEM')
    .option('--token-file <file>', 'with --url: file with the administrator’s token')
    .option('--client-certificate-file <file>', 'for a store that asks for one: your certificate, PEM')
    .option('--client-key-file <file>', 'and its private key, PEM, mode 0600')

/**
 * Connects by the words given. Throws ERR_USAGE, ERR_CONFIG_UNREADABLE or ConfigError, and ERR_RUNTIME_UNSAFE where a
 * debugging option would show the token.
 */
export async function connectToStore(
  io: Pick<Io, 'env' | 'execArgv'>,
  words: StoreWords,
): Promise<CallStore> {
  refuseUnsafeRuntime(io)
  const { url, caFile, tokenFile, clientCertificateFile, clientKeyFile } = placeOf(words)
  const token = (await readSecretFile(tokenFile)).toString('latin1')
  const agent = new Agent({
    keepAlive: true,
    // Said here, so that no setting of the environment switches it off.
    rejectUnauthorized: true,
    ...(caFile === undefined ? {} : { ca: readCertificates(caFile) }),
    ...readPair(clientCertificateFile, clientKeyFile),
  })
  return async (name, { body, parameters = {}, query = {} } = {}) => {
    const endpoint: Endpoint = ENDPOINTS[name]
    const place = new URL(pathOf(endpoint, parameters), url)
    place.search = new URLSearchParams(query).toString()
    const answer = await send(place, { method: endpoint.method, token, agent, body })
    if (answer.status !== endpoint.status) throw rejected(answer)
    return (endpoint.answer ? read(answer.bytes, endpoint.answer) : undefined) as AnswerOf<typeof name>
  }
}

interface Place {
  readonly url: string
  readonly tokenFile: string
  readonly caFile?: string | undefined
  readonly clientCertificateFile?: string | undefined
  readonly clientKeyFile?: string | undefined
}

function placeOf(words: StoreWords): Place {
  const { clientCertificateFile, clientKeyFile } = words
  if (words.config !== undefined) {
    const { publicUrl, tls, dataDirectory } = readStoreConfig(words.config)
    return {
      url: words.url ?? publicUrl,
      tokenFile: words.tokenFile ?? join(dataDirectory, ADMIN_TOKEN_FILE),
      caFile: words.caFile ?? tls.caFile,
      clientCertificateFile: clientCertificateFile ?? tls.clientCertificateFile,
      clientKeyFile: clientKeyFile ?? tls.clientKeyFile,
    }
  }
  if (words.url === undefined || words.tokenFile === undefined)
    throw new WritebackError('ERR_USAGE', 'say where the store is: --config, or --url with --token-file')
  if (!/^https:\/\/[^/?#@\s]+\/?$/.test(words.url))
    throw new WritebackError('ERR_USAGE', '--url must look like https://reset.example.com')
  const { url, caFile, tokenFile } = words
  return { url, caFile, tokenFile, clientCertificateFile, clientKeyFile }
}

function readPair(certificateFile: string | undefined, keyFile: string | undefined) {
  if (certificateFile === undefined && keyFile === undefined) return {}
  if (certificateFile === undefined || keyFile === undefined)
    throw new WritebackError('ERR_USAGE', 'a client certificate goes with its key: name both files')
  return { cert: readCertificates(certificateFile), key: readKey(keyFile) }
}

interface Answer {
  readonly status: number
  readonly bytes: Buffer
}

function send(
  url: URL,
  call: { readonly method: string; readonly token: string; readonly agent: Agent; readonly body: unknown },
): Promise<Answer> {
  const body = call.body === undefined ? undefined : JSON.stringify(call.body)
  const headers = {
    authorization: `Bearer ${call.token}`,
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  }
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(LONGEST_CALL_MS)
    const fail = (cause: Error) => reject(connectionError(url, cause))
    const outgoing = httpsRequest(
      url,
      { method: call.method, agent: call.agent, headers, signal },
      (incoming) => {
        const parts: Buffer[] = []
        incoming.on('data', (part: Buffer) => parts.push(part))
        incoming.on('error', fail)
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, bytes: Buffer.concat(parts) }))
      },
    )
    outgoing.on('error', fail)
    outgoing.end(body)
  })
}

const CERTIFICATE_FAULT = /CERT|SELF_SIGNED|UNABLE_TO_|HOSTNAME|SIGNATURE/

function connectionError(url: URL, cause: Error & { code?: string }): WritebackError {
  if (cause.name === 'TimeoutError' || cause.name === 'AbortError')
    return new WritebackError('ERR_STORE_TIMEOUT', `${url.origin} did not answer`, { cause })
  const code = CERTIFICATE_FAULT.test(cause.code ?? '') ? 'ERR_STORE_TLS' : 'ERR_STORE_UNREACHABLE'
  return new WritebackError(code, `no connection to ${url.origin}`, { cause })
}

function rejected(answer: Answer): WritebackError {
  const { code, detail } = read(answer.bytes, foreignProblemSchema, `HTTP status ${answer.status}`)
  const meaning = code in PROBLEMS ? PROBLEMS[code as ProblemCode].meaning : `HTTP status ${answer.status}`
  return new StoreRefusal(code, detail ?? meaning)
}

function read<T>(bytes: Buffer, schema: z.ZodType<T>, what = 'answer'): T {
  try {
    return parseDocument(what, parseStrictJson(bytes), schema)
  } catch (cause) {
    throw new WritebackError('ERR_STORE_ANSWER_INVALID', `${what} is not of the contract’s form`, { cause })
  }
}
