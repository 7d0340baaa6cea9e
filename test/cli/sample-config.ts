// The least configuration of an agent whose commands are tried without an agent, or with parts of one.
import { writeFileSync } from 'node:fs'
import path from 'node:path'

/** Writes it into its state directory, with one directory of this name, and gives the file. Nothing of it can be reached. */
export function writeSampleConfig(stateDirectory: string, name = 'corp'): string {
  const file = path.join(stateDirectory, 'agent.yaml')
  writeFileSync(
    file,
    `store: { url: "https://127.0.0.1:1" }
stateDirectory: ${stateDirectory}
directories:
  ${name}:
    type: active-directory
    controllers: ["ldaps://127.0.0.1"]
    baseDn: DC=corp,DC=test
    bind: { name: svc, passwordFile: bind-password }
`,
  )
  return file
}
