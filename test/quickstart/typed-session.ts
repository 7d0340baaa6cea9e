// A shell on a terminal of the fresh machine, typed into line by line as a person would: the next line is typed when the prompt has
// come back.
import { type ChildProcess, spawn } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'
import { bareEnvironment } from '../servers/child-process.ts'
import type { FreshMachine } from './fresh-machine.ts'

/** What a person saw after a line. */
export interface Answer {
  /** The lines of the output, without colours. */
  readonly lines: readonly string[]
  /** Exit status; undefined: the shell waits for more lines of the same command. */
  readonly status: number | undefined
}

/** A question of a command, and what is typed then; both are left out of what is logged. */
export interface Reply {
  /** The end of the output that asks. */
  readonly asks: RegExp
  readonly reply: () => string
}

/** A shell that waits for a line. */
export interface TypedSession {
  /** Types a line and waits for the prompt. Throws when it does not come within `limitMs`, with the last of the output. */
  readonly type: (line: string, limitMs: number) => Promise<Answer>
  readonly end: () => void
}

// Nothing that a command prints ends like this.
const PROMPT = /@@(\d+|more)@@$/
const PROMPTS = { PS1: '@@$?@@', PS2: '@@more@@' }
const SCREEN = 'stty -echo cols 120 rows 40'

/** Opens a terminal as root on the machine, with what this machine needs to reach its packages in the environment. */
export async function openSession(
  machine: FreshMachine,
  environment: Readonly<Record<string, string>>,
  replies: readonly Reply[],
): Promise<TypedSession> {
  const settings = { HOME: '/root', TERM: 'xterm', LANG: 'C.UTF-8', ...PROMPTS, ...environment }
  const words = Object.entries(settings).map(([name, value]) => `--setenv=${name}=${value}`)
  const shell = ['bash', '--noprofile', '--norc', '--noediting', '-i']
  const terminal = ['systemd-run', '--quiet', '--pty', '--wait', '--collect', '--working-directory=/root']
  const child = spawn('nsenter', [...machine.enter, ...terminal, ...words, ...shell], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: bareEnvironment(),
  })
  const screen = watchScreen(child, replies)
  const type = async (line: string, limitMs: number): Promise<Answer> => {
    screen.clear()
    child.stdin?.write(`${line}\n`)
    const text = await screen.untilPrompt(limitMs)
    const [, status = ''] = PROMPT.exec(text) ?? []
    const lines = linesOf(text.replace(PROMPT, ''))
    return { lines, status: status === 'more' ? undefined : Number(status) }
  }
  // What is typed before the shell asks for it is lost.
  await screen.untilPrompt(60_000)
  await type(SCREEN, 60_000)
  return { type, end: () => child.stdin?.end() }
}

/** The lines as they stand on the screen in the end: what follows a carriage return goes over what stood before it. */
function linesOf(text: string): readonly string[] {
  const lines = stripVTControlCharacters(text)
    .replaceAll(/\r+\n/g, '\n')
    .split('\n')
    .map((line) => line.split('\r').at(-1) ?? '')
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines
}

function watchScreen(child: ChildProcess, replies: readonly Reply[]) {
  let text = ''
  let answered = 0
  let wake = (): void => undefined
  child.stdout?.setEncoding('utf8').on('data', (more: string) => {
    text += more
    const asked = replies.find(({ asks }) => asks.test(text.slice(answered)))
    if (asked) {
      answered = text.length
      child.stdin?.write(`${asked.reply()}\n`)
    }
    wake()
  })
  child.once('exit', () => wake())
  const untilPrompt = async (limitMs: number): Promise<string> => {
    const end = performance.now() + limitMs
    while (!PROMPT.test(text)) {
      if (child.exitCode !== null) throw new Error(`the shell has ended: ${text.slice(-2_000)}`)
      if (performance.now() > end) throw new Error(`no prompt after ${limitMs} ms: ${text.slice(-2_000)}`)
      const woken = Promise.withResolvers<void>()
      wake = woken.resolve
      const timer = setTimeout(woken.resolve, Math.max(end - performance.now(), 0) + 1)
      await woken.promise
      clearTimeout(timer)
    }
    return text
  }
  const clear = (): void => {
    text = ''
    answered = 0
  }
  return { untilPrompt, clear }
}
