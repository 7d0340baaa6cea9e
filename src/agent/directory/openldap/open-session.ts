// From the configuration to a session with the writer of an OpenLDAP.
import type { OpenLdapOptions } from '../directory-options.ts'
import type { OwnedSession, WriterSearch } from '../owned-session.ts'
import { slapdBind } from './bind-answer.ts'
import { chooseWriter, findServer } from './find-writer.ts'
import { openSlapdSession } from './writer-session.ts'

const MARKER_ATTRIBUTE = 'writebackMarker'
const MARKER_CLASS = 'writebackAccount'

/** Connects to the writer and opens a session with it. Throws what connecting and opening throw. */
export async function openOpenLdapSession(
  options: OpenLdapOptions,
  search: WriterSearch,
): Promise<OwnedSession> {
  const { baseDn, tls, scope, protection } = options
  const settings = { ...search.settings, bindDialect: slapdBind }
  const url = chooseWriter(options.controllers, options.writer)
  const found = await findServer({ url, baseDn, serverName: tls.serverName }, settings)
  return openSlapdSession({
    found,
    settings,
    rules: {
      ...{ baseDn, units: scope?.units, groups: scope?.groups },
      ...{ protectedGroups: protection?.groups, protectedAccounts: protection?.accounts },
    },
    marker: {
      attribute: options.markerAttribute ?? MARKER_ATTRIBUTE,
      auxiliaryClass: options.markerClass ?? MARKER_CLASS,
    },
    policyDn: options.policyDn,
    history: options.history ?? 'required',
    connections: options.connections,
    clock: options.clock,
  })
}
