// An audit record that is always there, for tests of what does not look at it.
import type { Audit } from '../../src/agent/audit/create-audit.ts'

/** Whatever was told counts as written. */
export const openAudit: Audit = {
  isWritable: () => true,
  reached: async () => true,
  wake: () => {},
  start: async () => {},
  housekeep: async () => {},
  stop: async () => {},
}
