// Routes without JSON schemas. Making a server, Fastify would load the two compilers of schemas all the same, a tenth of a start.
import type { FastifyServerOptions } from 'fastify'

const refuse = () => () => {
  throw new Error('no route has a schema')
}

/** Options of a server whose routes have none. */
export const NO_SCHEMAS: Pick<FastifyServerOptions, 'schemaController'> = {
  schemaController: { compilersFactory: { buildValidator: refuse, buildSerializer: refuse } },
}
