// What a page of the manual tells a reader to type, and what it says comes of it. A block `sh` is typed line by line; a block `text`
// that follows one is its output, with `…` alone on a line for lines that are left out.

/** One block of commands with what the page shows of its output. */
export interface PageBlock {
  /** The heading that it stands under. */
  readonly heading: string
  /** The lines to type, in order. */
  readonly lines: readonly string[]
  /** The lines that the page shows; undefined: it shows none. */
  readonly shown: readonly string[] | undefined
}

/** Reads the blocks of a page in order. Throws for a shown output that stands below no commands. */
export function readPage(page: string): readonly PageBlock[] {
  const blocks: PageBlock[] = []
  let heading = ''
  const parts = page.matchAll(/^#+ (?<title>[^\n]+)$|^```(?<kind>\w*)\n(?<body>.*?)^```$/gms)
  for (const { groups = {} } of parts) {
    const { title, kind, body = '' } = groups
    const lines = body.split('\n').slice(0, -1)
    if (title !== undefined && kind === undefined) heading = title
    else if (kind === 'sh') blocks.push({ heading, lines, shown: undefined })
    else if (kind === 'text') showIn(blocks, lines)
  }
  return blocks
}

function showIn(blocks: PageBlock[], shown: readonly string[]): void {
  const last = blocks.pop()
  if (last === undefined || last.shown !== undefined)
    throw new Error(`the page shows an output of no commands: ${shown[0]}`)
  blocks.push({ ...last, shown })
}
