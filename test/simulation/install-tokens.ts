// Makes this process one that simulates: tokens instead of cryptography, ids, clocks and chance in the run's hands, and
// the source edited where a bug is planted. Imported before any line of the product.
import { registerHooks } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { installEdits, type SourceEdit } from '../test-build/source-edits.ts'
import { ownTheProcess } from './own-the-process.ts'
import { TEMPO } from './tempo.ts'

const STAND_INS: Readonly<Record<string, string>> = {
  jose: 'token-jose.ts',
  uuid: 'token-uuid.ts',
  './compact-jws.ts': 'token-jws.ts',
  '../../protocol/compact-jws.ts': 'token-jws.ts',
  './open-jwe.ts': 'token-jwe.ts',
  '../../protocol/open-jwe.ts': 'token-jwe.ts',
}

/** Prepares the process. */
export function prepareProcess(edits: readonly SourceEdit[]): void {
  registerHooks({
    resolve: (specifier, context, nextResolve) => {
      const file = STAND_INS[specifier]
      const isOurs = context.parentURL?.includes('/node_modules/') !== true
      if (file === undefined || !isOurs) return nextResolve(specifier, context)
      return { url: pathToFileURL(path.join(import.meta.dirname, file)).href, shortCircuit: true }
    },
  })
  installEdits([...TEMPO, ...edits])
  ownTheProcess()
}
