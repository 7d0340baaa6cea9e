// Every call of the contract in one table: the store serves it, the agent and the command line call it, the OpenAPI
// document describes it.
import { z } from 'zod'
import {
  agentsAnswerSchema,
  enrolmentCodeAnswerSchema,
  enrolmentCodeCallSchema,
  goneSchema,
  goneServersAnswerSchema,
  newUserSchema,
  pauseSchema,
  policiesAnswerSchema,
  probesAnswerSchema,
  requestsAnswerSchema,
  runProbeAnswerSchema,
  runProbeCallSchema,
  userSchema,
  usersAnswerSchema,
} from './administration-calls.ts'
import {
  claimAnswerSchema,
  claimCallSchema,
  enrolAnswerSchema,
  enrolCallSchema,
  heartbeatAnswerSchema,
  heartbeatCallSchema,
  outcomesAnswerSchema,
  outcomesCallSchema,
  policiesCallSchema,
  receiptsAnswerSchema,
  receiptsCallSchema,
  sealingKeysAnswerSchema,
  sealingKeysCallSchema,
} from './agent-calls.ts'
import { LONGEST_WAIT_MS, plainTextSchema } from './identifiers.ts'
import type { ProblemCode } from './problem-codes.ts'
import {
  createRequestAnswerSchema,
  createRequestCallSchema,
  sealAnswerSchema,
  sealCallSchema,
  verdictSchema,
} from './sealer-calls.ts'

const userNameSchema = plainTextSchema(256).describe('name of a user, exactly as it was given')
const waitSchema = z
  .string()
  .regex(/^\d{1,6}$/)
  .transform(Number)
  .pipe(z.int().min(0).max(LONGEST_WAIT_MS))
  .describe(`longest wait in milliseconds, at most ${LONGEST_WAIT_MS}`)

/** Who may call, and with which credential. */
export type Caller = 'agent' | 'new agent' | 'administrator' | 'anyone'

/** One call. `{name}` in the path stands for a parameter; every parameter of the query may be left out. */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly caller: Caller
  readonly summary: string
  readonly query?: Readonly<Record<string, z.ZodType>>
  readonly body?: z.ZodType
  readonly answer?: z.ZodType
  readonly status: 200 | 201 | 204
  readonly problems: readonly ProblemCode[]
}

/** All calls of version 1. */
export const ENDPOINTS = {
  enrol: {
    method: 'POST',
    path: '/v1/agents',
    caller: 'new agent',
    summary: 'enrol an agent with a code; proves possession of its identity key',
    body: enrolCallSchema,
    answer: enrolAnswerSchema,
    status: 201,
    problems: ['body_invalid', 'enrolment_code_refused', 'too_many_requests'],
  },
  claim: {
    method: 'POST',
    path: '/v1/requests/claim',
    caller: 'agent',
    summary: 'renew leases and take new requests; waits when there are none',
    body: claimCallSchema,
    answer: claimAnswerSchema,
    status: 200,
    problems: ['body_invalid', 'credential_refused'],
  },
  receipts: {
    method: 'POST',
    path: '/v1/requests/receipts',
    caller: 'agent',
    summary:
      'promise to carry out requests on one server; no write begins before the receipt is accepted. An inspect needs none',
    body: receiptsCallSchema,
    answer: receiptsAnswerSchema,
    status: 200,
    problems: ['body_invalid', 'credential_refused'],
  },
  outcomes: {
    method: 'POST',
    path: '/v1/outcomes',
    caller: 'agent',
    summary: 'report signed outcomes; every result ends the delivery of its item',
    body: outcomesCallSchema,
    answer: outcomesAnswerSchema,
    status: 200,
    problems: ['body_invalid', 'credential_refused', 'outcome_invalid'],
  },
  heartbeat: {
    method: 'PUT',
    path: '/v1/agents/self/heartbeat',
    caller: 'agent',
    summary: 'tell the store how the agent is, at least every 60 s',
    body: heartbeatCallSchema,
    answer: heartbeatAnswerSchema,
    status: 200,
    problems: ['body_invalid', 'credential_refused'],
  },
  publishSealingKeys: {
    method: 'PUT',
    path: '/v1/agents/self/sealing-keys',
    caller: 'agent',
    summary:
      'publish the sealing keys that this agent holds, at the start, at each rotation and now and then; they replace those before. An old key may be dropped 10 minutes after its successor was accepted, once it is not needed',
    body: sealingKeysCallSchema,
    answer: sealingKeysAnswerSchema,
    status: 200,
    problems: ['body_invalid', 'credential_refused'],
  },
  publishPolicies: {
    method: 'PUT',
    path: '/v1/directories/{name}/policies',
    caller: 'agent',
    summary: 'publish the password policies of a directory that this agent serves; they replace those before',
    body: policiesCallSchema,
    status: 204,
    problems: ['body_invalid', 'credential_refused', 'not_allowed'],
  },
  createRequest: {
    method: 'POST',
    path: '/v1/subjects/{anchor}/requests',
    caller: 'administrator',
    summary:
      'begin a request for one subject; answers with the keys to seal the password to. An unlock or inspect is on its way at once. At most 32 requests of a subject that write are open at a time',
    body: createRequestCallSchema,
    answer: createRequestAnswerSchema,
    status: 201,
    problems: ['body_invalid', 'credential_refused', 'user_not_found', 'too_many_requests', 'no_agent'],
  },
  seal: {
    method: 'PUT',
    path: '/v1/requests/{id}/sealed',
    caller: 'administrator',
    summary:
      'hand in the sealed password, once, by the caller who began the request; the same bytes get the same answer',
    body: sealCallSchema,
    answer: sealAnswerSchema,
    status: 200,
    problems: [
      'body_invalid',
      'credential_refused',
      'request_not_found',
      'already_sealed',
      'request_closed',
      'sealed_invalid',
    ],
  },
  verdict: {
    method: 'GET',
    path: '/v1/requests/{id}',
    caller: 'administrator',
    summary: 'where the request is; with wait, the answer comes when it closes or the time is over',
    query: { wait: waitSchema },
    answer: verdictSchema,
    status: 200,
    problems: ['call_invalid', 'credential_refused', 'request_not_found'],
  },
  listRequests: {
    method: 'GET',
    path: '/v1/requests',
    caller: 'administrator',
    summary: 'the newest requests',
    answer: requestsAnswerSchema,
    status: 200,
    problems: ['credential_refused'],
  },
  addUser: {
    method: 'POST',
    path: '/v1/users',
    caller: 'administrator',
    summary: 'link a user of the store to an account by its immutable anchor',
    body: newUserSchema,
    answer: userSchema,
    status: 201,
    problems: ['body_invalid', 'credential_refused', 'user_exists'],
  },
  listUsers: {
    method: 'GET',
    path: '/v1/users',
    caller: 'administrator',
    summary:
      'users by name, at most 1000 in one answer: those after a name, or the one of a name; an empty answer is the end',
    query: { name: userNameSchema, after: userNameSchema },
    answer: usersAnswerSchema,
    status: 200,
    problems: ['call_invalid', 'credential_refused'],
  },
  listAgents: {
    method: 'GET',
    path: '/v1/agents',
    caller: 'administrator',
    summary: 'all agents and how they are',
    answer: agentsAnswerSchema,
    status: 200,
    problems: ['credential_refused'],
  },
  revokeAgent: {
    method: 'DELETE',
    path: '/v1/agents/{id}',
    caller: 'administrator',
    summary: 'revoke one agent at once; nothing more is sealed to it, and no call of it is served',
    status: 204,
    problems: ['credential_refused', 'agent_not_found'],
  },
  createEnrolmentCode: {
    method: 'POST',
    path: '/v1/enrolment-codes',
    caller: 'administrator',
    summary: 'make a code that enrols one agent',
    body: enrolmentCodeCallSchema,
    answer: enrolmentCodeAnswerSchema,
    status: 201,
    problems: ['body_invalid', 'credential_refused'],
  },
  readPolicies: {
    method: 'GET',
    path: '/v1/directories/{name}/policies',
    caller: 'administrator',
    summary: 'the password policies that an agent published last, with who and when',
    answer: policiesAnswerSchema,
    status: 200,
    problems: ['credential_refused', 'policies_not_found'],
  },
  setPause: {
    method: 'PUT',
    path: '/v1/pause',
    caller: 'administrator',
    summary: 'stop or resume all writing; requests wait until they expire',
    body: pauseSchema,
    answer: pauseSchema,
    status: 200,
    problems: ['body_invalid', 'credential_refused'],
  },
  declareServer: {
    method: 'PUT',
    path: '/v1/servers/{id}/gone',
    caller: 'administrator',
    summary:
      'declare a domain controller gone for good, by its invocationId, so that nobody waits for what was sent there; or take that back',
    body: goneSchema,
    answer: goneServersAnswerSchema,
    status: 200,
    problems: ['body_invalid', 'credential_refused', 'call_invalid', 'too_many_requests'],
  },
  listGoneServers: {
    method: 'GET',
    path: '/v1/servers/gone',
    caller: 'administrator',
    summary: 'the domain controllers that are declared gone',
    answer: goneServersAnswerSchema,
    status: 200,
    problems: ['credential_refused'],
  },
  listProbes: {
    method: 'GET',
    path: '/v1/probes',
    caller: 'administrator',
    summary: 'the users that the store probes on a clock, and how the last probe of each ended',
    answer: probesAnswerSchema,
    status: 200,
    problems: ['credential_refused'],
  },
  runProbe: {
    method: 'POST',
    path: '/v1/probes',
    caller: 'administrator',
    summary:
      'begin a probe of one of these users now: an ordinary reset with a random password that nobody learns; while one is open, the answer is that one',
    body: runProbeCallSchema,
    answer: runProbeAnswerSchema,
    status: 201,
    problems: ['body_invalid', 'credential_refused', 'user_not_found', 'too_many_requests', 'no_agent'],
  },
} as const satisfies Record<string, Endpoint>
export type EndpointName = keyof typeof ENDPOINTS

/** The path of an endpoint with its parameters filled in, each percent-encoded. */
export function pathOf(endpoint: Endpoint, parameters: Readonly<Record<string, string>> = {}): string {
  return endpoint.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ''))
}
