// The calls of the contract as functions: what each is given, already admitted and checked, and what it answers.
import type { z } from 'zod'
import type { ENDPOINTS, EndpointName } from '../../protocol/endpoints.ts'

type EndpointOf<Name extends EndpointName> = (typeof ENDPOINTS)[Name]
type BodyOf<E> = E extends { readonly body: infer S extends z.ZodType } ? z.output<S> : undefined
type AnswerOf<E> = E extends { readonly answer: infer S extends z.ZodType } ? z.output<S> : undefined
type CallerOf<E> = E extends { readonly caller: 'agent' | 'administrator' } ? string : undefined

type QueryOf<E> = E extends { readonly query: infer Q extends Readonly<Record<string, z.ZodType>> }
  ? { readonly [Key in keyof Q]?: z.output<Q[Key]> }
  : Readonly<Record<string, never>>

/** One call as its function sees it. */
export interface Call<Name extends EndpointName> {
  readonly body: BodyOf<EndpointOf<Name>>
  /** The agent's id or the administrator's name. */
  readonly caller: CallerOf<EndpointOf<Name>>
  /** The parameter in the path, decoded; empty where the path has none. */
  readonly parameter: string
  /** Parameters of the query that were given, checked. */
  readonly query: QueryOf<EndpointOf<Name>>
  readonly address: string
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal
}

/** One function per call. */
export type Calls = {
  readonly [Name in EndpointName]: (call: Call<Name>) => Promise<AnswerOf<EndpointOf<Name>>>
}
