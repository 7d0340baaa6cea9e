// A screen that is drawn again and again. On a terminal it has a page of its own, and the terminal is as before when it closes.

/** A page that holds the lines drawn last. */
export interface WatchScreen {
  readonly draw: (lines: readonly string[]) => void
  /** Gives the terminal back; the lines drawn last stay on it. */
  readonly close: () => void
}

// Alternate page, cursor hidden, long lines cut instead of wrapped (xterm, DEC private modes 1049, 25 and 7); and back.
const OPEN = '\x1b[?1049h\x1b[?25l\x1b[?7l'
const CLOSE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const REST_OF_LINE = '\x1b[K'
const REST_OF_PAGE = '\x1b[J'

/** Opens a page; where the output is no terminal, the drawings follow each other, with a blank line between. */
export function openWatchScreen(stdout: NodeJS.WriteStream): WatchScreen {
  return stdout.isTTY ? openPage(stdout) : openRoll(stdout)
}

function openRoll(stdout: NodeJS.WriteStream): WatchScreen {
  let gap = ''
  return {
    draw: (lines) => {
      stdout.write(`${gap}${lines.join('\n')}\n`)
      gap = '\n'
    },
    close: () => {},
  }
}

function openPage(stdout: NodeJS.WriteStream): WatchScreen {
  let last: readonly string[] = []
  stdout.write(OPEN)
  return {
    draw: (lines) => {
      last = lines
      const page = cutToHeight(lines, stdout.rows).map((line) => `${line}${REST_OF_LINE}`)
      stdout.write(`${HOME}${page.join('\r\n')}${REST_OF_PAGE}`)
    },
    close: () => stdout.write(`${CLOSE}${last.map((line) => `${line}\n`).join('')}`),
  }
}

// Some terminals tell no size, or 0.
function cutToHeight(lines: readonly string[], rows: number | undefined): readonly string[] {
  if (!rows || lines.length <= rows) return lines
  const shown = lines.slice(0, rows - 1)
  return [...shown, `... ${lines.length - shown.length} more lines`]
}
