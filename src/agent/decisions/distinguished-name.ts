// Whether one entry lies below another, by their distinguished names (RFC 4514).

/**
 * True when `dn` is `base` or lies below it. Compares part by part, without regard to case and to spaces around the
 * separators, so an escaped comma inside a name is never taken for a boundary. Different escapes of the same character
 * count as different: in doubt the entry is outside.
 */
export function isWithin(dn: string, base: string): boolean {
  const parts = splitDn(dn)
  const baseParts = splitDn(base)
  if (parts.length < baseParts.length || baseParts.length === 0) return false
  const tail = parts.slice(parts.length - baseParts.length)
  return baseParts.every((part, index) => part === tail[index])
}

/** The name of the entry above, as it is spelled; empty when there is none. */
export function parentOf(dn: string): string {
  const end = endOfPart(dn, 0)
  return dn.slice(end + 1).trimStart()
}

function splitDn(dn: string): readonly string[] {
  const parts: string[] = []
  let start = 0
  while (start <= dn.length) {
    const end = endOfPart(dn, start)
    parts.push(normalisePart(dn.slice(start, end)))
    start = end + 1
  }
  return parts.filter((part) => part !== '')
}

/** Where the part that begins at `start` ends: at a comma, or behind the last character. */
function endOfPart(dn: string, start: number): number {
  for (let at = start; at < dn.length; at += 1) {
    // A dangling backslash at the very end escapes nothing.
    if (dn[at] === '\\' && at + 1 < dn.length) at += 1
    else if (dn[at] === ',') return at
  }
  return dn.length
}

// Only plain spaces may stand around a name (RFC 4514); any other white space is part of it.
function normalisePart(part: string): string {
  const begun = part.replace(/^ +/, '')
  const trimmed = begun.replace(/ +$/, '')
  // An escaped space at the end belongs to the name.
  const kept = trimmed.endsWith('\\') && begun.length > trimmed.length ? `${trimmed} ` : trimmed
  return kept.replace(/^([^=]*?) *= */, '$1=').toLowerCase()
}
