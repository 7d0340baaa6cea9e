// What the reset store answers instead of doing it: the codes of its problem documents.
import type { CodeExplanation } from './codes.ts'

/** Codes of RFC 9457 problem documents, with the HTTP status each goes with. */
export const PROBLEMS = {
  body_invalid: {
    status: 400,
    meaning: 'the body is not strict JSON or not of the contract’s form',
    whoActs: 'operator',
    nextStep: 'compare the calling program with the API document',
  },
  call_invalid: {
    status: 400,
    meaning: 'the path or the query is not of the contract’s form',
    whoActs: 'operator',
    nextStep: 'compare the calling program with the API document',
  },
  credential_missing: {
    status: 401,
    meaning: 'no credential, or one that is not understood',
    whoActs: 'operator',
    nextStep: 'give the caller its token, or enrol the agent',
  },
  credential_refused: {
    status: 401,
    meaning: 'the credential is wrong, stale, replayed or revoked',
    whoActs: 'operator',
    nextStep: 'look whether the agent was revoked, the token is right, and the clocks agree',
  },
  not_allowed: {
    status: 403,
    meaning: 'the credential does not allow this call',
    whoActs: 'operator',
    nextStep: 'call with a credential that may',
  },
  request_not_found: {
    status: 404,
    meaning: 'no such request',
    whoActs: 'operator',
    nextStep: 'check the id; a store that was restored may have forgotten it',
  },
  user_not_found: {
    status: 404,
    meaning: 'no such user',
    whoActs: 'help desk',
    nextStep: 'link the user to an account first',
  },
  agent_not_found: {
    status: 404,
    meaning: 'no such agent',
    whoActs: 'operator',
    nextStep: 'check the id against the list of agents',
  },
  policies_not_found: {
    status: 404,
    meaning: 'no agent has published the policies of this directory yet',
    whoActs: 'operator',
    nextStep: 'wait a minute; then look at the agent’s conditions',
  },
  route_not_found: {
    status: 404,
    meaning: 'no such call',
    whoActs: 'operator',
    nextStep: 'compare the calling program with the API document',
  },
  already_sealed: {
    status: 409,
    meaning: 'another value was sealed for this request before',
    whoActs: 'help desk',
    nextStep: 'ask again; look who else sealed for this request',
  },
  user_exists: {
    status: 409,
    meaning: 'the user name or the anchor is taken',
    whoActs: 'help desk',
    nextStep: 'take another name, or look who has the account',
  },
  request_closed: {
    status: 409,
    meaning: 'the request has ended',
    whoActs: 'user',
    nextStep: 'ask again',
  },
  enrolment_code_refused: {
    status: 403,
    meaning: 'the enrolment code is wrong, used or too old',
    whoActs: 'operator',
    nextStep: 'make a new code; it serves once and for a short time',
  },
  body_too_large: {
    status: 413,
    meaning: 'the body is larger than allowed',
    whoActs: 'operator',
    nextStep: 'mend the calling program',
  },
  media_type_unsupported: {
    status: 415,
    meaning: 'the body is not application/json',
    whoActs: 'operator',
    nextStep: 'send application/json',
  },
  outcome_invalid: {
    status: 422,
    meaning: 'a signed outcome does not verify or does not fit its request',
    whoActs: 'operator',
    nextStep: 'compare the identity key that both sides hold',
  },
  sealed_invalid: {
    status: 422,
    meaning: 'the sealed value does not fit its request',
    whoActs: 'operator',
    nextStep: 'mend the sealing program; compare it with the test vectors',
  },
  too_many_requests: {
    status: 429,
    meaning: 'too many calls, or too many open requests of one account',
    whoActs: 'user',
    nextStep: 'wait a minute and ask again',
  },
  no_agent: {
    status: 503,
    meaning: 'no active agent serves this directory',
    whoActs: 'operator',
    nextStep: 'start an agent of this directory, or enrol one',
  },
  unavailable: {
    status: 503,
    meaning: 'the reset store is stopping, or cannot write at the moment',
    whoActs: 'operator',
    nextStep: 'try again; look at the store’s disk and log if it lasts',
  },
  internal: {
    status: 500,
    meaning: 'a defect in the reset store',
    whoActs: 'operator',
    nextStep: 'report it with the store’s log',
  },
} as const satisfies Record<string, CodeExplanation & { readonly status: number }>
export type ProblemCode = keyof typeof PROBLEMS
