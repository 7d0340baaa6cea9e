// What a run with OpenLDAP has in place of domain controllers: the server, the sessions with it, and somebody who is quick to
// set another password in the same second.

import type { DirectoryModel } from './directory-model.ts'
import { FAULTS_MS } from './fault-timing.ts'
import { createOpenLdap, type OpenLdapOptions } from './openldap-model.ts'
import { createOpenLdapSession } from './openldap-session.ts'
import { drawOpenLdapTraits } from './openldap-traits.ts'
import type { OpenSession } from './simulated-directory.ts'
import type { World } from './world.ts'

/** The server, and how agents open a session with it. */
export interface OpenLdapGround {
  readonly model: DirectoryModel
  readonly openSession: OpenSession
}

/** Makes the server of a run. */
export function createOpenLdapGround(
  { scheduler, secrets, record, note }: Pick<World, 'scheduler' | 'secrets' | 'record' | 'note'>,
  options: Omit<OpenLdapOptions, 'traits' | 'note' | 'passwordWritten'>,
): OpenLdapGround {
  const { chance } = scheduler
  const traits = drawOpenLdapTraits(chance)
  const endsAt = scheduler.now() + FAULTS_MS
  const model = createOpenLdap({
    ...{ ...options, traits, note },
    passwordWritten: (server, guid) => {
      if (!chance.happens(traits.quickOthers) || scheduler.now() >= endsAt) return
      const secret = `foreign:${chance.hex(6)}`
      scheduler.after(scheduler.world, chance.between(0, 2_500), () => {
        if (!model.doForeign(server, guid, { what: 'password', text: secrets.make(secret) })) return
        note('foreign password soon after ours')
        const at = { account: guid, server: server.id }
        record({ observer: 'directory', kind: 'foreign', what: 'password', secret, ...at })
      })
    },
  })
  const openSession: OpenSession = (...words) => createOpenLdapSession(traits, ...words)
  return { model, openSession }
}
