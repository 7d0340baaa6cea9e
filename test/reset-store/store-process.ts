// The store as its own process, started by its command; tests kill it and start it again on the same data.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { startReadyChild, type TestChild } from '../servers/child-process.ts'
import { freePort } from '../servers/loopback-address.ts'
import { testCa } from '../servers/test-ca.ts'
import { httpsCall } from './https-call.ts'
import { createStoreClient, type StoreClient } from './running-store.ts'

/** A store that can be killed. `client` stays good across restarts. */
export interface StoreProcess {
  readonly configFile: string
  readonly client: () => Promise<StoreClient>
  readonly start: () => Promise<void>
  readonly kill: () => Promise<void>
  readonly end: () => Promise<number | string>
}

const MAIN = path.resolve('src/main.ts')

/** Prepares a store process with its configuration in `directory`; `start` starts it. */
export async function createStoreProcess(directory: string): Promise<StoreProcess> {
  const { caFile, server } = await testCa()
  const port = await freePort()
  const configFile = path.join(directory, 'store.yaml')
  const lines = [
    `listen: { host: 127.0.0.1, port: ${port} }`,
    `publicUrl: https://127.0.0.1:${port}`,
    `tls: { certificateFile: ${server.certFile}, keyFile: ${server.keyFile}, caFile: ${caFile} }`,
    'dataDirectory: data',
  ]
  writeFileSync(configFile, `${lines.join('\n')}\n`)
  const ca = readFileSync(caFile, 'utf8')
  let child: TestChild | undefined
  const isReady = () =>
    httpsCall(port, { ca }, { method: 'GET', path: '/readyz' }).then(
      ({ status }) => status === 200,
      () => false,
    )
  return {
    configFile,
    client: () => createStoreClient(port, path.join(directory, 'data')),
    start: async () => {
      const args = ['--disable-warning=ExperimentalWarning', MAIN, 'store', '--config', configFile]
      const outputFile = path.join(directory, 'store.log')
      child = await startReadyChild({ command: process.execPath, args, outputFile }, isReady)
    },
    kill: async () => {
      child?.signal('SIGKILL')
      await child?.exited
    },
    end: async () => {
      await child?.end('SIGTERM')
      return child?.exited ?? 'never started'
    },
  }
}
