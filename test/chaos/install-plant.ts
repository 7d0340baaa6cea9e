// Loaded before the agents' program: plants the bug that the environment names.
import { installEdits } from '../test-build/source-edits.ts'
import { PLANTS } from './plants.ts'

const name = process.env['CHAOS_PLANT'] ?? ''
const edits = PLANTS[name]
if (edits === undefined) throw new Error(`no planted bug is called ${name}`)
installEdits(edits)
