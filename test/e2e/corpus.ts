// What the suite on protection asks of a directory, for either kind: identities that an agent must never write, made for real,
// and others beside them that it must.
import type { TestDomain } from '../servers/directory-kinds.ts'

/** One identity. */
export interface CorpusRow<C> {
  readonly name: string
  /** Gives its DN; an edit that it asks for is made afterwards. */
  readonly make: (corpus: C) => Promise<string>
  /** What has to happen after the account was linked in the store. */
  readonly afterLink?: (corpus: C, dn: string) => Promise<void>
  /** Where it is not the one of its list. */
  readonly reason?: 'account_not_found'
}

/** What the suite is told of a row. */
export type CorpusName = Pick<CorpusRow<never>, 'name' | 'reason'>

/** An entry as the directory tells it: what a write of any kind would have moved. */
export interface CorpusState {
  readonly values: unknown
  readonly marker: string | undefined
  /** What its owner signs in with by a simple bind; undefined: nobody can. */
  readonly principal: string | undefined
}

/** A directory as the suite goes on with it. */
export interface CorpusTools {
  /** A person within the units of the scope; gives the DN. */
  readonly user: (name: string) => Promise<string>
  readonly addMember: (group: string, member: string) => Promise<void>
  readonly removeMember: (group: string, member: string) => Promise<void>
  /** DNs: of the group that the scope asks for, of one that is protected, and of the one that the configuration protects. */
  readonly groups: { readonly scope: string; readonly mighty: string; readonly executives: string }
  readonly readAnchor: (dn: string) => Promise<string>
  /** undefined: the entry is gone. */
  readonly stateOf: (anchor: string) => Promise<CorpusState | undefined>
  /** Gives an entry another name. */
  readonly rename: (dn: string, to: string) => Promise<void>
  /** What the service account may not write by itself, of these; each with a password to try. */
  readonly refusedOf: (
    rows: readonly { readonly name: string; readonly dn: string; readonly anchor: string }[],
  ) => Promise<readonly string[]>
}

/** One kind of directory for the suite. */
export interface Corpus {
  /** Lines of the directory in agent.yaml. */
  readonly settings: string
  readonly protected: readonly CorpusName[]
  readonly outOfScope: readonly CorpusName[]
  readonly allowed: readonly CorpusName[]
  /** At least so many identities that must not be written. */
  readonly identities: number
  /** Names of rows: protected and in the scope else, outside of it, written, and protected by the configured group only. */
  readonly samples: {
    readonly mighty: string
    readonly outside: string
    readonly written: string
    readonly executive: string
  }
  /** DNs: of the configured group, and of the name that it gets. */
  readonly renamed: { readonly from: string; readonly to: string }
  /** Whom the directory itself keeps from being written. */
  readonly notWritable: readonly string[]
  /** What must be there before the agent starts. */
  readonly layOut: (domain: TestDomain) => Promise<void>
  readonly make: (name: string) => Promise<string>
  /** Once all of them are made: `dns`. */
  readonly finish: (dns: readonly string[]) => Promise<void>
  readonly afterLink: (name: string, dn: string) => Promise<void>
  readonly tools: () => CorpusTools
}

interface CorpusParts<C extends CorpusTools>
  extends Pick<Corpus, 'settings' | 'identities' | 'samples' | 'renamed' | 'notWritable'> {
  readonly lists: Readonly<Record<'protected' | 'outOfScope' | 'allowed', readonly CorpusRow<C>[]>>
  readonly layOut: (domain: TestDomain) => Promise<C>
  readonly finish: (corpus: C, dns: readonly string[]) => Promise<void>
}

/** Makes a corpus; nothing is in the directory before `layOut`. */
export function createCorpus<C extends CorpusTools>(parts: CorpusParts<C>): Corpus {
  const { lists, layOut, finish, ...same } = parts
  const rows = new Map(
    [...lists.protected, ...lists.outOfScope, ...lists.allowed].map((row) => [row.name, row]),
  )
  let laidOut: C | undefined
  const corpus = (): C => {
    if (laidOut === undefined) throw new Error('the corpus has no directory yet')
    return laidOut
  }
  return {
    ...same,
    ...lists,
    layOut: async (domain) => {
      laidOut = await layOut(domain)
    },
    make: async (name) => {
      const row = rows.get(name)
      if (row === undefined) throw new Error(`there is no row ${name}`)
      return row.make(corpus())
    },
    finish: (dns) => finish(corpus(), dns),
    afterLink: async (name, dn) => rows.get(name)?.afterLink?.(corpus(), dn),
    tools: corpus,
  }
}
