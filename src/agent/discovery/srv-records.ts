// The SRV records of an answer: in which order their hosts are asked, and which host names are let through.

/** One SRV record. Its port is left out: it is that of LDAP without TLS, which is never spoken. */
export interface SrvRecord {
  readonly name: string
  readonly priority: number
  readonly weight: number
}

/**
 * The order of RFC 2782: by priority, the lowest first; among equals by chance, in proportion to their weights. `random` gives
 * numbers from 0 to below 1.
 */
export function orderRecords(records: readonly SrvRecord[], random: () => number): readonly SrvRecord[] {
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b)
  return priorities.flatMap((one) =>
    drawByWeight(
      records.filter(({ priority }) => priority === one),
      random,
    ),
  )
}

function drawByWeight(records: readonly SrvRecord[], random: () => number): readonly SrvRecord[] {
  // Those of weight 0 stand first, so that they have a small chance, too.
  const left = records.toSorted((a, b) => Number(a.weight > 0) - Number(b.weight > 0))
  const drawn: SrvRecord[] = []
  while (left.length > 0) {
    const sum = left.reduce((total, { weight }) => total + weight, 0)
    const mark = Math.floor(random() * (sum + 1))
    let running = 0
    const at = left.findIndex(({ weight }) => {
      running += weight
      return running >= mark
    })
    drawn.push(...left.splice(at, 1))
  }
  return drawn
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const LONGEST_NAME = 253

/**
 * The host name of a record in lower case, without the dot at its end; undefined for what is no host name (RFC 1123 section 2.1),
 * and for one that is neither in `within` nor below a name there.
 */
export function acceptHost(name: string, within: readonly string[]): string | undefined {
  const host = name.toLowerCase().replace(/\.$/, '')
  if (host.length > LONGEST_NAME || !host.split('.').every((label) => LABEL.test(label))) return undefined
  const isWithin = within.some((one) => {
    const suffix = one.toLowerCase()
    return host === suffix || host.endsWith(`.${suffix}`)
  })
  return isWithin ? host : undefined
}
