// From the configuration to a session with the writer of an Active Directory.
import type { ActiveDirectoryOptions } from '../directory-options.ts'
import type { OwnedSession, WriterSearch } from '../owned-session.ts'
import { findWriter } from './find-writer.ts'
import { openWriterSession } from './writer-session.ts'

const MARKER_ATTRIBUTE = 'adminDisplayName'

/** Finds the writer and opens a session with it. Throws what finding and opening throw. */
export async function openActiveDirectorySession(
  options: ActiveDirectoryOptions,
  { settings, lastUrl, signal }: WriterSearch,
): Promise<OwnedSession> {
  const { writer, baseDn, tls, clock, lookup } = options
  const known = typeof options.controllers === 'function' ? options.controllers() : options.controllers
  const controllers = known.toSorted((a, b) => Number(b === lastUrl) - Number(a === lastUrl))
  const way = { serverName: tls.serverName, lookup }
  const found = await findWriter({ controllers, writer, baseDn, signal, clock, way }, settings)
  return openWriterSession({
    found,
    settings,
    rules: {
      baseDn,
      units: options.scope?.units,
      groups: options.scope?.groups,
      protectedGroups: options.protection?.groups,
    },
    markerAttribute: options.markerAttribute ?? MARKER_ATTRIBUTE,
    anchor: options.anchor ?? 'objectGUID',
    ...(options.history === undefined ? {} : { history: options.history }),
    connections: options.connections,
    clock: options.clock,
    followsRole: options.writer === 'pdc-emulator',
  })
}
