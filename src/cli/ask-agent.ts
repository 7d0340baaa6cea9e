// A question to the running agent of this host, over its operators' socket.
import { request } from 'node:http'
import { join } from 'node:path'
import type { AgentConfig } from '../config/agent-config.ts'
import { ERRORS } from '../errors/error-codes.ts'
import { WritebackError } from '../errors/writeback-error.ts'

const ANSWER_LIMIT_MS = 5_000

/** One question. */
export interface AgentQuestion<T> {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Takes what it needs out of the answer; undefined, or an error: something else than an agent answered. */
  readonly read: (answer: unknown) => T | undefined
  /** Longest wait for the answer; default 5 s. */
  readonly withinMs?: number
  /** Gives up early. */
  readonly signal?: AbortSignal
}

/** Where the agent of a configuration answers its operators. */
export const operatorsSocketOf = ({ ops, stateDirectory }: AgentConfig): string =>
  ops.socket ?? join(stateDirectory, 'ops.sock')

/** Asks. Throws ERR_AGENT_UNREACHABLE, and the error that the agent answers with. */
export async function askAgent<T>(config: AgentConfig, question: AgentQuestion<T>): Promise<T> {
  const socketPath = operatorsSocketOf(config)
  try {
    const { status, text } = await send(socketPath, question)
    const parsed = parse(text)
    if (status !== 200) throw refusalOf(parsed) ?? new Error(`HTTP status ${status}, no answer of an agent`)
    const answer = question.read(parsed)
    if (answer === undefined) throw new Error(`HTTP status ${status}, no answer of an agent`)
    return answer
  } catch (cause) {
    if (cause instanceof WritebackError) throw cause
    throw new WritebackError('ERR_AGENT_UNREACHABLE', `no answer from the agent at ${socketPath}`, { cause })
  }
}

/** The agent's own error, when it says one that this program knows. */
function refusalOf(answer: unknown): WritebackError | undefined {
  const { code, message } = (answer ?? {}) as { readonly code?: unknown; readonly message?: unknown }
  if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code)) return undefined
  return new WritebackError(code as keyof typeof ERRORS, String(message))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

type Answer = { readonly status: number | undefined; readonly text: string }

function send(
  socketPath: string,
  { method, path, signal, withinMs = ANSWER_LIMIT_MS }: AgentQuestion<unknown>,
): Promise<Answer> {
  const limit = AbortSignal.timeout(withinMs)
  const signals = signal === undefined ? limit : AbortSignal.any([limit, signal])
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, method, signal: signals }, (incoming) => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (part: string) => {
        text += part
      })
      incoming.on('error', reject)
      incoming.on('end', () => resolve({ status: incoming.statusCode, text }))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}
