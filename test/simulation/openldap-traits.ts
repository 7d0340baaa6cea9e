// Which seeds simulate OpenLDAP, and how that server is in one of them.
import type { Chance } from './seeded-random.ts'

/** Every third seed is a run with one OpenLDAP server; the others have two domain controllers. */
export const dialectOf = (seed: number): 'active-directory' | 'openldap' =>
  seed % 3 === 2 ? 'openldap' : 'active-directory'

/** What differs from server to server. */
export interface OpenLdapTraits {
  /** The present password is refused as a new one even where no history is kept. */
  readonly refusesSame: boolean
  /** pwdSafeModify: whoever sets a password must show the old one, so that no reset is possible. */
  readonly wantsOldPassword: boolean
  /** Writes carry an assertion on pwdChangedTime (RFC 4528). */
  readonly asserts: boolean
  /** How likely somebody else changes a password right after one of ours was set. */
  readonly quickOthers: number
  /** How likely a password write collides with another one on pwdHistory. */
  readonly collisions: number
}

/** Draws the server of a run. */
export const drawOpenLdapTraits = (chance: Chance): OpenLdapTraits => ({
  refusesSame: chance.happens(0.5),
  wantsOldPassword: chance.happens(0.04),
  asserts: chance.happens(0.5),
  quickOthers: chance.pick([0, 0.03, 0.15]),
  collisions: chance.pick([0, 0.02, 0.1]),
})
