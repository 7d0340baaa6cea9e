// What the demo shows: numbered steps with their time, a moving sign on a terminal, plain lines elsewhere.
import pc from 'picocolors'

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 80

/** The demo's screen. */
export interface DemoScreen {
  readonly title: (text: string) => void
  /** Runs one step and shows it: moving while it runs, then how long it took. */
  readonly step: <T>(text: string, run: () => Promise<T>) => Promise<T>
  readonly line: (text?: string) => void
  /** A line of a program, indented. */
  readonly quote: (text: string) => void
}

/** Makes the screen on a stream. */
export function createDemoScreen(out: NodeJS.WriteStream): DemoScreen {
  const colour = pc.createColors(out.isTTY === true && !process.env['NO_COLOR'])
  const write = (text: string) => void out.write(text)
  const step = async <T>(text: string, run: () => Promise<T>): Promise<T> => {
    const begun = performance.now()
    const seconds = () => `${((performance.now() - begun) / 1000).toFixed(1)} s`
    let frame = 0
    const timer = out.isTTY
      ? setInterval(() => {
          frame += 1
          write(
            `\r  ${colour.cyan(FRAMES[frame % FRAMES.length] ?? '')} ${text} ${colour.dim(seconds())}\u001b[K`,
          )
        }, FRAME_MS)
      : undefined
    const clear = out.isTTY ? '\r\u001b[K' : ''
    try {
      const result = await run()
      write(`${clear}  ${colour.green('✓')} ${text} ${colour.dim(seconds())}\n`)
      return result
    } catch (error) {
      write(`${clear}  ${colour.red('✗')} ${text} ${colour.dim(seconds())}\n`)
      throw error
    } finally {
      clearInterval(timer)
    }
  }
  return {
    title: (text) => write(`\n${colour.bold(text)}\n`),
    step,
    line: (text = '') => write(`  ${text}\n`),
    quote: (text) => write(`    ${colour.dim('│')} ${text}\n`),
  }
}
