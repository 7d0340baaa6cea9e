// The form of a configuration file as JSON Schema, for editors: names, descriptions and faults while somebody types.
import { z } from 'zod'
import { agentConfigSchema } from './agent-config.ts'
import { storeConfigSchema } from './store-config.ts'

const SCHEMAS = {
  agent: { schema: agentConfigSchema, title: 'Configuration of a writeback agent' },
  store: { schema: storeConfigSchema, title: 'Configuration of a writeback reset store' },
} as const

/** The programs that have a configuration. */
export type ConfiguredProgram = keyof typeof SCHEMAS

/**
 * The schema as the text of a file. Draft 7 is what every editor reads. Rules over several keys are not in it: they are told
 * by `writeback config check`.
 */
export function writeJsonSchema(program: ConfiguredProgram): string {
  const { schema, title } = SCHEMAS[program]
  const { $schema, ...form } = z.toJSONSchema(schema, { io: 'input', target: 'draft-7' })
  return `${JSON.stringify({ $schema, title, ...form }, null, 2)}\n`
}
