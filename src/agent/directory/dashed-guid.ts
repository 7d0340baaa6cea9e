// The one spelling of an account's immutable id: objectGUID on Active Directory, entryUUID on OpenLDAP.

const DASHED = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** True for a GUID in dashed lower case. Nothing else of a subject may be put into a name or a filter. */
export function isGuid(text: string): boolean {
  return DASHED.test(text)
}
