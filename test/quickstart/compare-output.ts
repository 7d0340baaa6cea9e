// Whether what came is what the page shows. Each run has its own times, ids and secrets: those are compared by their kind alone.

/** What differs from run to run, with the word that stands for it. The order matters: what holds another comes first. */
const KINDS: readonly (readonly [pattern: RegExp, kind: string])[] = [
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<id>'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| UTC)?/g, '<time>'],
  [/\b[\w-]{43}(?![\w-])/g, '<thumbprint>'],
  [/\b[A-Za-z2-9]{4}(?:-[A-Za-z2-9]{4}){3}\b/g, '<password>'],
  [/\b\d{4}-\d\d-\d\d\b/g, '<day>'],
  [/[+-]?\b\d+(?:\.\d+)? ?(?:ms|s|min)\b/g, '<duration>'],
  [/\bprocess \d+/g, 'process <number>'],
  // A checkpoint more is signed where five minutes pass under way.
  [/\b\d+ records \(1 to \d+\)/g, '<records>'],
  [/\b\d+ signed checkpoints?/g, '<checkpoints>'],
  [/\b\d+(?:\.\d+)? [KMG]B\b/g, '<size>'],
]

/** A line without what differs from run to run; the width of columns follows from that, so spaces count once. */
const generalOf = (line: string): string =>
  KINDS.reduce((text, [pattern, kind]) => text.replace(pattern, kind), line)
    .replace(/ +/g, ' ')
    .trimEnd()

const LEFT_OUT = '…'

/** True when the lines that came are those that are shown, where `…` alone on a line stands for any number of lines. */
export function isAsShown(shown: readonly string[], came: readonly string[]): boolean {
  return matches(shown.map(generalOf), came.map(generalOf))
}

function matches(shown: readonly string[], came: readonly string[]): boolean {
  const [first, ...others] = shown
  if (first === undefined) return came.length === 0
  if (first !== LEFT_OUT) return came[0] === first && matches(others, came.slice(1))
  return matches(others, came) || (came.length > 0 && matches(shown, came.slice(1)))
}
