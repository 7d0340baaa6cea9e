// The kinds of directory that a world can be made with. What both can do, a suite asks of either.
import { type SambaDomain, type SambaOptions, startSambaDomain } from './samba-domain.ts'
import { type SlapdOptions, type SlapdServer, startSlapdServer } from './slapd-server.ts'

interface Kinds {
  readonly 'active-directory': { readonly options: SambaOptions; readonly domain: SambaDomain }
  readonly openldap: { readonly options: SlapdOptions; readonly domain: SlapdServer }
}

/** What a directory is. */
export type DirectoryKind = keyof Kinds
/** How a directory of this kind may differ from the usual one. */
export type DomainOptions<K extends DirectoryKind> = Kinds[K]['options']
/** A running directory of this kind; of any, where nothing is said. */
export type TestDomain<K extends DirectoryKind = DirectoryKind> = Kinds[K]['domain']

/** Every kind, for `describe.each`. */
export const DIRECTORY_KINDS: readonly DirectoryKind[] = ['active-directory', 'openldap']

/** Starts a directory of the given kind (default Active Directory, which Samba stands for). */
export function startDomain<K extends DirectoryKind>(
  kind: K | undefined,
  options: DomainOptions<K> | undefined,
): Promise<TestDomain<K>> {
  const started = kind === 'openldap' ? startSlapdServer(options as SlapdOptions) : startSambaDomain(options)
  return started as Promise<TestDomain<K>>
}
