// The grant that lets the service account write the marker, as an administrator can use it: for dsacls, and as an entry.

/** Words the grant for the accounts under a DN. */
export type GrantFor = (parentDn: string) => string

/** The class of users (MS-ADSC, user). */
const USER_CLASS = 'bf967aba-0de6-11d0-a285-00aa003049e2'

/** What is granted, and to whom. `schemaGuid`: schemaIDGUID of the attribute; `account`: as it binds. */
export interface MarkerGrantee {
  readonly attribute: string
  readonly schemaGuid: string
  readonly account: string
  readonly sid: string
}

/** Read and write of the marker on the users under `parentDn`, inherited by those below. */
export const markerGrant: (parentDn: string, grantee: MarkerGrantee) => string = (
  parentDn,
  { attribute, schemaGuid, account, sid },
) =>
  `dsacls "${parentDn}" /I:S /G "${account}:RPWP;${attribute};user", or on that entry the ACE (OA;CIIO;RPWP;${schemaGuid};${USER_CLASS};${sid})`
