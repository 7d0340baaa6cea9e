// How the domain controllers of an Active Directory are looked for in DNS: the names, and what an answer may say.
import { isIP } from 'node:net'
import { z } from 'zod'
import type { RuleFault } from './read-config.ts'
import { count, isRecord } from './value-schemas.ts'

// RFC 1123 section 2.1, in two labels or more.
const domainName = z
  .string()
  .max(253)
  .regex(
    /^(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$/,
    'must be a DNS name such as corp.example.com',
  )

const dnsServer = z
  .string()
  .max(64)
  .refine(
    isServerAddress,
    'must be an IP address, with or without a port: 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353',
  )

/** How controllers are found instead of being listed. */
export const discoverSchema = z.strictObject({
  domain: domainName.describe('DNS name of the domain, whose SRV records name its controllers'),
  site: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,63}$/, 'must be the name of a site: letters, digits, dashes')
    .optional()
    .describe('site of this agent; its controllers are asked before those of other sites'),
  within: z
    .array(domainName)
    .min(1)
    .max(64)
    .optional()
    .describe(
      'controllers must have one of these host names, or a name below one of them; whatever else DNS names is left out; default: the domain',
    ),
  dnsServers: z
    .array(dnsServer)
    .min(1)
    .max(8)
    .optional()
    .describe(
      'addresses of the DNS servers to ask, for the controllers’ addresses as well; default: those of this host',
    ),
  lookEveryMinutes: count(1, 1440)
    .default(15)
    .describe('how often controllers are looked for again; every minute where that failed'),
})

function isServerAddress(text: string): boolean {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? []
  if (isIP(text) !== 0) return true
  const isAddress = bracketed === undefined ? isIP(plain ?? '') === 4 : isIP(bracketed) === 6
  return isAddress && (port === undefined || (Number(port) > 0 && Number(port) <= 65_535))
}

const NEITHER = 'is missing: list the controllers, or have them looked for with discover'
const BOTH = 'controllers are listed already: keep one of controllers and discover'
const WRITER = 'with discover the writer is the PDC emulator; list the controllers to name another one'

/** What is wrong between `discover` and the other keys of a directory; the value may be of any form. */
export function findDiscoverFaults(name: string, directory: unknown): readonly RuleFault[] {
  if (!isRecord(directory) || directory['type'] !== 'active-directory') return []
  const { controllers, discover, writer } = directory
  const fault = (key: string, message: string) => ({ path: ['directories', name, key], message })
  if (discover === undefined) return controllers === undefined ? [fault('controllers', NEITHER)] : []
  return [
    ...(controllers === undefined ? [] : [fault('discover', BOTH)]),
    ...(writer === undefined || writer === 'pdc-emulator' ? [] : [fault('writer', WRITER)]),
  ]
}
