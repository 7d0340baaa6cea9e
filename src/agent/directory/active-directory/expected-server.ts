// How a write connection knows its domain controller again: by the name of its NTDS settings.
import type { ExpectedServer } from '../write-connection.ts'

/** Expects the server whose NTDS settings have this name (dsServiceName, MS-ADTS §3.1.1.3.2). */
export function serverNamed(serviceName: string): ExpectedServer {
  return {
    attributes: ['dsServiceName'],
    findStranger: (root) => {
      const name = root?.attributes.get('dsservicename')?.[0]?.toString('utf8') ?? ''
      return name.toLowerCase() === serviceName.toLowerCase() ? undefined : name
    },
  }
}
