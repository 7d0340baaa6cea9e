// The way to the store through a corporate proxy: CONNECT, its credentials, its refusal, and what goes past it.

import { readFileSync } from 'node:fs'
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createStoreTransport } from '../../src/agent/store-client/store-transport.ts'
import { testCa } from '../servers/test-ca.ts'

const seen = { connects: [] as string[], credentials: [] as (string | undefined)[] }
let refuses = false
let proxy: Server
let store: ReturnType<typeof createHttpsServer>
let ca: Awaited<ReturnType<typeof testCa>>
const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port

beforeAll(async () => {
  ca = await testCa()
  store = createHttpsServer(
    { cert: readFileSync(ca.server.certFile), key: readFileSync(ca.server.keyFile) },
    (_, answer) => answer.end('{}'),
  )
  proxy = createHttpServer()
  proxy.on('connect', (request, client) => {
    seen.connects.push(request.url ?? '')
    seen.credentials.push(request.headers['proxy-authorization'])
    if (refuses)
      return client.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n',
      )
    const [host = '', port] = (request.url ?? '').split(':')
    const target = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      client.pipe(target).pipe(client)
    })
    for (const socket of [client, target]) socket.on('error', () => undefined)
  })
  for (const server of [store, proxy])
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => {
  for (const server of [store, proxy]) {
    server.closeAllConnections()
    server.close()
  }
})

async function callThrough(env: Readonly<Record<string, string>>, caFile = ca.caFile): Promise<number> {
  const transport = createStoreTransport({ caFile, env })
  try {
    const url = `https://127.0.0.1:${portOf(store)}/v1/requests/claim`
    const answer = await transport.fetch(url, {
      method: 'POST',
      headers: {},
      body: Buffer.from('{}'),
      redirect: 'manual',
      signal: AbortSignal.timeout(5_000),
    })
    for await (const _ of answer.body ?? []);
    return answer.status
  } finally {
    await transport.close()
  }
}

test('the store is reached through the proxy, with the proxy’s credentials and the store’s own certificate', async () => {
  expect(await callThrough({ HTTPS_PROXY: `http://name:word@127.0.0.1:${portOf(proxy)}` })).toBe(200)
  expect(seen.connects.at(-1)).toBe(`127.0.0.1:${portOf(store)}`)
  expect(seen.credentials.at(-1)).toBe(`Basic ${Buffer.from('name:word').toString('base64')}`)
})

test('through the proxy too, a store with a stranger’s certificate is refused', async () => {
  const before = seen.connects.length
  await expect(
    callThrough({ HTTPS_PROXY: `http://127.0.0.1:${portOf(proxy)}` }, ca.strangerCaFile),
  ).rejects.toThrow()
  expect(seen.connects.length).toBe(before + 1)
})

test('a store named in NO_PROXY is reached past it', async () => {
  const before = seen.connects.length
  expect(await callThrough({ HTTPS_PROXY: `http://127.0.0.1:${portOf(proxy)}`, NO_PROXY: '127.0.0.1' })).toBe(
    200,
  )
  expect(seen.connects.length).toBe(before)
})

test('a proxy that asks for credentials is an error, and the store hears nothing [proxy_407]', async () => {
  refuses = true
  await expect(callThrough({ HTTPS_PROXY: `http://127.0.0.1:${portOf(proxy)}` })).rejects.toThrow()
  refuses = false
})
