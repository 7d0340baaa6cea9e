// How a write connection knows its slapd again: by the naming context it holds. More it does not tell of itself.
import { isWithin } from '../../decisions/distinguished-name.ts'
import type { ExpectedServer } from '../write-connection.ts'

/** Expects a server that holds this naming context. */
export function serverOf(suffix: string): ExpectedServer {
  return {
    attributes: ['namingContexts'],
    findStranger: (root) => {
      const contexts = root?.attributes.get('namingcontexts')?.map((value) => value.toString('utf8')) ?? []
      const isHere = contexts.some((context) => isWithin(suffix, context) && isWithin(context, suffix))
      return isHere ? undefined : `one with ${contexts.join('; ') || 'no naming context'}`
    },
  }
}
