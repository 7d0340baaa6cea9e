// When the certificates end that this agent depends on: of the store, of each directory server, and in the configured files.
import { readFile } from 'node:fs/promises'
import type { AgentConfig } from '../config/agent-config.ts'
import { endOfLeaf, endOfPem } from '../telemetry/certificate-end.ts'
import type { Conditions } from '../telemetry/conditions.ts'
import type { AgentBase } from './agent-base.ts'
import { trustOf } from './create-directories.ts'
import { readServerCertificate } from './directory/read-server-certificate.ts'

/** One certificate, or the chain of a server. `endsAt`: milliseconds since 1970. */
export interface SeenCertificate {
  /** `server`: as a server shows it. `authority`, `client`: in a file of the configuration. */
  readonly kind: 'server' | 'authority' | 'client'
  /** The URL or the file. */
  readonly subject: string
  readonly endsAt: number
}

/** The certificates as they were seen last. */
export interface CertificateWatch {
  /** Looks at all of them; what cannot be seen now is as it was seen last. Never rejects. */
  readonly look: () => Promise<void>
  readonly list: () => readonly SeenCertificate[]
}

/** From then on an end is worth a warning. */
const EXPIRING_MS = 30 * 86_400_000
const DAY_MS = 86_400_000

type Look = Pick<SeenCertificate, 'kind' | 'subject'> & { readonly read: () => Promise<number | undefined> }

/** Makes the watch. `readStore` gives the end of the store's own chain. */
export function createCertificateWatch(
  {
    config,
    clock,
    conditions,
    discoveries = NOT_DISCOVERED,
  }: Pick<AgentBase, 'config' | 'clock' | 'conditions'> & Partial<Pick<AgentBase, 'discoveries'>>,
  readStore: () => Promise<number | undefined>,
): CertificateWatch {
  const seen = new Map<string, SeenCertificate>()
  const fixed = [{ kind: 'server', subject: config.store.url, read: readStore } as const, ...filesOf(config)]
  const servers = serversOf(config, discoveries)
  return {
    look: async () => {
      const looks = [...fixed, ...servers.flatMap((of) => of())]
      forget(seen, looks, conditions)
      await Promise.all(
        looks.map(async ({ kind, subject, read }) => {
          // What is away has its own condition.
          const endsAt = await read().catch(() => undefined)
          if (endsAt !== undefined) seen.set(`${kind} ${subject}`, { kind, subject, endsAt })
        }),
      )
      for (const one of seen.values()) tell(one, clock.wallMs(), conditions)
    },
    list: () => [...seen.values()],
  }
}

const NOT_DISCOVERED: AgentBase['discoveries'] = new Map()

/** What gives the servers of each directory as they are known at the time. */
function serversOf(config: AgentConfig, discoveries: AgentBase['discoveries']): (() => Look[])[] {
  return Object.entries(config.directories).map(([name, directory]) => {
    const tls = trustOf(directory.tls)
    const found = discoveries.get(name)
    const listed = (directory.type === 'openldap' ? directory.servers : directory.controllers) ?? []
    const how = { tls, lookup: found?.lookup, timeoutMs: directory.connectTimeoutSeconds * 1000 }
    return () =>
      (found?.urls() ?? listed).map((subject) => ({
        ...{ kind: 'server' as const, subject },
        read: () => readServerCertificate(subject, how),
      }))
  })
}

/** What is looked at no more is no reason to warn. */
function forget(
  seen: Map<string, SeenCertificate>,
  looks: readonly Look[],
  conditions: Pick<Conditions, 'clear'>,
): void {
  const subjects = new Set(looks.map(({ subject }) => subject))
  for (const [key, { subject }] of seen) {
    if (subjects.has(subject)) continue
    seen.delete(key)
    conditions.clear('certificate_expiring', subject)
  }
}

function filesOf({ store, directories, queue, audit }: AgentConfig): Look[] {
  const authorities = [
    ...[store.caFile, queue.caFile, audit.syslog?.caFile],
    ...Object.values(directories).map(({ tls }) => tls.caFile),
  ]
  return [
    ...namesOf(authorities).map((file) => ({ kind: 'authority' as const, file })),
    ...namesOf([store.clientCertificateFile]).map((file) => ({ kind: 'client' as const, file })),
  ].map(({ kind, file }) => ({
    ...{ kind, subject: file },
    read: async () => (kind === 'client' ? endOfLeaf : endOfPem)(await readFile(file, 'utf8')),
  }))
}

const namesOf = (files: readonly (string | undefined)[]): readonly string[] => [
  ...new Set(files.filter((file) => file !== undefined)),
]

function tell(
  { subject, endsAt }: SeenCertificate,
  nowMs: number,
  conditions: Pick<Conditions, 'raise' | 'clear'>,
): void {
  const leftMs = endsAt - nowMs
  if (leftMs > EXPIRING_MS) {
    conditions.clear('certificate_expiring', subject)
    return
  }
  const when = `${new Date(endsAt).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const left = leftMs <= 0 ? 'ended' : `ends in ${Math.floor(leftMs / DAY_MS)} days`
  conditions.raise('certificate_expiring', subject, `${left}: ${when}`)
}
