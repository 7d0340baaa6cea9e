// Makes what test servers are copied from, before any test is timed: `node test/servers/make-templates.ts`.
import { sambaTemplate } from './samba-template.ts'
import { slapdTemplate } from './slapd-template.ts'
import { testCa } from './test-ca.ts'

await Promise.all([
  sambaTemplate('CORP.TEST'),
  sambaTemplate('OTHER.TEST'),
  slapdTemplate('{SSHA}'),
  slapdTemplate('{ARGON2}'),
  testCa(),
])
