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

function splitDn(dn: string): readonly string[] {
  const parts: string[] = []
  let start = 0
  for (let at = 0; at <= dn.length; at += 1) {
    if (dn[at] === '\\') at += 1
    else if (at === dn.length || dn[at] === ',') {
      parts.push(normalisePart(dn.slice(start, at)))
      start = at + 1
    }
  }
  return parts.filter((part) => part !== '')
}

function normalisePart(part: string): string {
  // An escaped space at the end belongs to the name.
  const trimmed = part.trim()
  const kept = trimmed.endsWith('\\') && part.trimStart().length > trimmed.length ? `${trimmed} ` : trimmed
  return kept.replace(/^([^=]*?)\s*=\s*/, '$1=').toLowerCase()
}
