// Values that break careless programs, to stand where a message has a text, a number or anything else.
import type { Random } from './random.ts'

/** Texts with a meaning for LDAP, JSON, SQL, shells, terminals or Unicode. */
export const HOSTILE_TEXTS: readonly string[] = [
  '',
  ' ',
  '*',
  '*)(objectClass=*',
  '*))(|(cn=*',
  '\\2a\\28',
  'CN=Administrator,CN=Users,DC=corp,DC=test',
  '<GUID=00000000-0000-0000-0000-000000000000>',
  '<SID=S-1-5-32-544>',
  'ldap://attacker.test/??sub',
  '#04024869',
  "'; DROP TABLE requests; --",
  '$(reboot)',
  '../../etc/passwd',
  '__proto__',
  'constructor',
  'a\u0000b',
  '\u001b[2J',
  '\u202etxt.exe',
  '\ufeff',
  '\u2028',
  '\ud83d\ude00'.repeat(64),
  'x'.repeat(70_000),
  '00000000-0000-0000-0000-000000000000',
  '0197A5A5-0000-7000-8000-00000000000A',
  '{0197a5a5-0000-7000-8000-00000000000a}',
  'NaN',
  '1e999',
]

/** Numbers at and beyond every edge; as JSON text, since some are none. */
export const HOSTILE_NUMBERS: readonly string[] = [
  '0',
  '-0',
  '-1',
  '1.5',
  '1.0',
  '1e3',
  '1e400',
  '-1e400',
  '2147483648',
  '4294967296',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '8640000000000001',
  '9'.repeat(400),
  '5e-324',
]

const ODD_JSON = [
  'null',
  'true',
  'false',
  '[]',
  '{}',
  '""',
  '[[]]',
  '{"":0}',
  '[null]',
  '{"length":1e9}',
  '"\\u0000"',
]

/** Any JSON value as text. */
export function hostileJson(random: Random): string {
  const kind = random.int(3)
  if (kind === 0) return JSON.stringify(random.pick(HOSTILE_TEXTS))
  return random.pick(kind === 1 ? HOSTILE_NUMBERS : ODD_JSON)
}
