// The protocol's long waits, shortened for a simulated process: the rules stay, less time passes in which nothing happens.
import type { SourceEdit } from '../test-build/source-edits.ts'

const IDENTIFIERS = 'src/protocol/identifiers.ts'
const shorten = (file: string, name: string, from: string, to: string): SourceEdit => ({
  file,
  find: `const ${name} = ${from}`,
  replace: `const ${name} = ${to}`,
})

/** Leases of 15 s, 20 s to settle after expiry, and long polls that look for lapsed leases every 3 s. */
export const TEMPO: readonly SourceEdit[] = [
  shorten(IDENTIFIERS, 'LEASE_MS', '30_000', '15_000'),
  shorten(IDENTIFIERS, 'SETTLE_AFTER_EXPIRY_MS', '60_000', '20_000'),
  shorten('src/reset-store/requests/wait-for.ts', 'LOOK_AGAIN_MS', '1000', '3_000'),
]
