// Text for terminals: labels beside wrapped text.

const WIDTH = 80
const GAP = 2

/** A label and the text beside it; `paint` colours the finished lines. */
export type Row = readonly [label: string, text: string, paint?: (line: string) => string]

/** Lines of at most 80 columns: each label once, its text wrapped beside it, everything indented by two. */
export function alignRows(rows: readonly Row[]): readonly string[] {
  const labelWidth = Math.max(0, ...rows.map(([label]) => label.length))
  const indent = GAP + labelWidth + GAP
  return rows.flatMap(([label, text, paint = (line) => line]) =>
    wrap(text, WIDTH - indent).map((part, index) =>
      paint(`${' '.repeat(GAP)}${(index === 0 ? label : '').padEnd(labelWidth + GAP)}${part}`),
    ),
  )
}

/** Text in lines of at most `width`, broken between words; a longer word is cut. */
export function wrap(text: string, width: number = WIDTH): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (let word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ''
    }
    for (; word.length > width; word = word.slice(width)) lines.push(word.slice(0, width))
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
