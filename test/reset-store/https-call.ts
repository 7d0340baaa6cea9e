// One HTTPS call with certificate checks on. Bodies are sent as the bytes that are given.
import { type Agent, request } from 'node:https'

/** An answer as it came. */
export interface HttpsAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look at any part of any answer
  readonly json: any
}

/** What to send. */
export interface HttpsCall {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  readonly signal?: AbortSignal
}

/** Calls a server on loopback. Rejects when the connection fails. */
export function httpsCall(
  port: number,
  tls: { readonly ca: string; readonly agent?: Agent },
  call: HttpsCall,
): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const { method, path, headers = {}, body, signal } = call
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const outgoing = request(
      {
        ...{ host: '127.0.0.1', port, method, path, ca: tls.ca, headers: { ...headers, ...length } },
        ...(tls.agent ? { agent: tls.agent } : {}),
        ...(signal ? { signal } : {}),
      },
      (incoming) => {
        const parts: Buffer[] = []
        incoming.on('data', (part: Buffer) => parts.push(part))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const text = Buffer.concat(parts).toString('utf8')
          const isJson = text !== '' && /json/.test(incoming.headers['content-type'] ?? '')
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            text,
            json: isJson ? JSON.parse(text) : undefined,
          })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
