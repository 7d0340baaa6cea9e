// Which faults are played where, read from the titles of the tests, and what is wrong about it.
import { FAULT_GROUPS, type Fault, type FaultGroup } from './registry.ts'

/** Somebody who says to play faults. */
export interface Claim {
  readonly where: string
  readonly faults: readonly string[]
}

// The title of a test, or the name of one of its rows, that ends with names in brackets.
const TITLE = /(['"`])((?:(?!\1)[^\n])* \[([a-z0-9_]+(?:, [a-z0-9_]+)*)\])\1/g

/** Reads the claims of one test file. A line that begins as a comment claims nothing. */
export function readClaims(file: string, text: string): readonly Claim[] {
  const code = text.replace(/^\s*\/\/.*$/gm, '')
  return [...code.matchAll(TITLE)].map(([, , title = '', names = '']) => ({
    where: `${file}: ${title}`,
    faults: names.split(', '),
  }))
}

/** What is wrong, one sentence each; nothing when every fault is played or says why it is not. */
export function findGaps(
  faults: Readonly<Record<string, Fault>>,
  claims: readonly Claim[],
): readonly string[] {
  const played = countPlays(claims)
  const strangers = claims.flatMap(({ where, faults: names }) =>
    names
      .filter((name) => !Object.hasOwn(faults, name))
      .map((name) => `no fault is called ${name}: ${where}`),
  )
  const gaps = Object.entries(faults).flatMap(([name, { notHere }]) => {
    const isPlayed = played.has(name)
    if (notHere === undefined) return isPlayed ? [] : [`no test plays ${name}`]
    return isPlayed ? [`${name} is played, though it is said not to be here`] : []
  })
  return [...strangers, ...gaps]
}

function countPlays(claims: readonly Claim[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const name of claims.flatMap((claim) => claim.faults)) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** The counts by group as the rows of a table, the last one for all. */
export function describeCounts(
  faults: Readonly<Record<string, Fault>>,
  claims: readonly Claim[],
): readonly string[] {
  const played = countPlays(claims)
  const row = (name: string, groups: readonly FaultGroup[]) => {
    const all = Object.entries(faults).filter(([, { group }]) => groups.includes(group))
    const here = all.filter(([, { notHere }]) => notHere === undefined)
    const tests = here.reduce((sum, [id]) => sum + (played.get(id) ?? 0), 0)
    return `| ${name} | ${all.length} | ${here.length} | ${all.length - here.length} | ${tests} |`
  }
  return [...FAULT_GROUPS.map((group) => row(group, [group])), row('all', FAULT_GROUPS)]
}
