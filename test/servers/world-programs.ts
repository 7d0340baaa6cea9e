// The programs of a world as child processes, and the calls that look at them.
import { readFileSync } from 'node:fs'
import type { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import path from 'node:path'
import { ENDPOINTS, pathOf } from '../../src/protocol/endpoints.ts'
import { startReadyChild, type TestChild } from './child-process.ts'
import type { Admin } from './world-requests.ts'

const MAIN = {
  source: path.resolve(import.meta.dirname, '../../src/main.ts'),
  built: path.resolve(import.meta.dirname, '../../dist/main.js'),
}

/** What runs: `source`, or `built`, which is what is shipped. */
export type ProgramKind = keyof typeof MAIN

/** Node.js arguments of the program. `imports`: modules that are loaded before it, such as a test build. */
export const nodeArguments = (
  program: ProgramKind = 'source',
  imports: readonly string[] = [],
): readonly string[] => [
  '--disable-warning=ExperimentalWarning',
  ...imports.flatMap((file) => ['--import', file]),
  MAIN[program],
]

/** A program of the project as a child process. */
export interface Program {
  readonly pid: () => number
  readonly isRunning: () => boolean
  readonly start: () => Promise<void>
  /** SIGTERM, and waits for the end; gives the exit status. */
  readonly stop: () => Promise<number | string>
  /** Waits for it to end by itself; gives the exit status. */
  readonly ended: () => Promise<number | string>
  /** SIGKILL to the program itself, not to its children; waits for the end. */
  readonly kill: () => Promise<void>
  /** All it has written so far. */
  readonly output: () => string
}

/** Describes a program; nothing runs before its `start`. */
export function describeProgram(
  args: readonly string[],
  outputFile: string,
  env: Readonly<Record<string, string>>,
  isReady: () => Promise<boolean>,
  errorFile?: string,
): Program {
  let child: TestChild | undefined
  return {
    pid: () => child?.pid ?? 0,
    isRunning: () => child?.isRunning() ?? false,
    start: async () => {
      child = await startReadyChild(
        {
          command: process.execPath,
          args,
          outputFile,
          errorFile,
          env,
          parentDeathSignal: 'KILL',
        },
        isReady,
      )
    },
    stop: async () => {
      if (!child?.isRunning()) return 0
      process.kill(child.pid, 'SIGTERM')
      const timer = setTimeout(() => child?.signal('SIGKILL'), 30_000)
      const status = await child.exited
      clearTimeout(timer)
      return status
    },
    ended: async () => (await child?.exited) ?? 0,
    kill: async () => {
      if (!child?.isRunning()) return
      process.kill(child.pid, 'SIGKILL')
      await child.exited
    },
    output: () => readFileSync(outputFile, 'utf8'),
  }
}

/** Calls of the store's administrator. */
export function createAdmin(directory: string, port: number, ca: Buffer): Admin {
  return (name, body, parameters = {}, query = '') => {
    const token = readFileSync(path.join(directory, 'store', 'admin-token'), 'utf8').trim()
    const endpoint = ENDPOINTS[name]
    const at = {
      host: '127.0.0.1',
      port,
      path: pathOf(endpoint, parameters) + query,
      ca,
      method: endpoint.method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    }
    return get(httpsRequest, at, body === undefined ? undefined : JSON.stringify(body))
  }
}

/** One HTTP call; the answer's JSON. */
export function get(
  request: typeof httpsRequest | typeof httpRequest,
  at: object,
  body?: string,
): Promise<{ status: number; json: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(at as never, (incoming) => {
      let text = ''
      const isJson = !incoming.headers['content-type']?.startsWith('text/')
      incoming.setEncoding('utf8')
      incoming.on('data', (part: string) => {
        text += part
      })
      incoming.on('error', reject)
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          json: isJson ? (text === '' ? undefined : JSON.parse(text)) : text,
        }),
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** True when the address answers 200. */
export const answers = (request: typeof httpsRequest | typeof httpRequest, at: object): Promise<boolean> =>
  get(request, at).then(
    ({ status }) => status === 200,
    () => false,
  )
