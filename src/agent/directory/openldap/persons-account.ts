// Which entries are accounts of people. Services, roles and groups may have passwords too, and are never written.

const PERSON = ['person', 'organizationalperson', 'inetorgperson']
// `account` alone is as well a service: with these it is somebody who signs in.
const SIGNS_IN = ['posixaccount', 'shadowaccount']
const NEVER = [
  'organizationalrole',
  'applicationprocess',
  'device',
  'groupofnames',
  'groupofuniquenames',
  'groupofmembers',
  'posixgroup',
  'groupofurls',
]

/** The classes of which an account must have one. Lower case. */
export const ACCOUNT_CLASSES: readonly string[] = [...PERSON, 'account']

/** True for the classes of a person's account; all in lower case. */
export function isPersonsAccount(objectClasses: readonly string[]): boolean {
  const has = (names: readonly string[]) => names.some((name) => objectClasses.includes(name))
  return (has(PERSON) || (has(['account']) && has(SIGNS_IN))) && !has(NEVER)
}
