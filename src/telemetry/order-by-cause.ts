// Causes before consequences: of what is wrong now, what follows from something else that is wrong, too. Pure.

/** What must be known of one thing that is wrong. `subject`: a directory, with or without more behind a slash; empty: all. */
export interface Wrong {
  readonly code: string
  readonly subject: string
  readonly severity: 'warning' | 'error'
  /** Milliseconds since 1970. */
  readonly since: number
}

/** Something wrong, and the codes of what it follows from; none: it is a cause. */
export type Explained<T extends Wrong> = T & { readonly dependsOn: readonly T['code'][] }

/**
 * Says of each one what it follows from, by `causesOf` its code, as far as that is wrong as well and of the same directory. Causes
 * come first, then errors, then what has lasted longest.
 */
export function orderByCause<T extends Wrong>(
  all: readonly T[],
  causesOf: (code: T['code']) => readonly string[],
): readonly Explained<T>[] {
  return all
    .map((one) => {
      const possible = causesOf(one.code)
      const causes = all.filter((other) => possible.includes(other.code) && isAboutSame(one, other))
      return { ...one, dependsOn: [...new Set(causes.map(({ code }) => code))] }
    })
    .sort(byCause)
}

/** The order of two: a cause, an error, what has lasted longer comes first. */
export function byCause(
  a: Omit<Wrong, 'code' | 'subject'> & { readonly dependsOn: readonly string[] },
  b: Omit<Wrong, 'code' | 'subject'> & { readonly dependsOn: readonly string[] },
): number {
  return (
    Number(a.dependsOn.length > 0) - Number(b.dependsOn.length > 0) ||
    Number(a.severity !== 'error') - Number(b.severity !== 'error') ||
    a.since - b.since
  )
}

const directoryOf = ({ subject }: Wrong): string => subject.split('/', 1)[0] ?? ''

function isAboutSame(a: Wrong, b: Wrong): boolean {
  const [one, other] = [directoryOf(a), directoryOf(b)]
  return one === '' || other === '' || one === other
}
