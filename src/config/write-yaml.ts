// A complete configuration as YAML, in the form that a file has.
import { stringify } from 'yaml'

/** Values as YAML, long ones on one line. */
export const writeYaml = (value: unknown): string => stringify(value, { lineWidth: 0 })
