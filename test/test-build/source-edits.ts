// The test build: the project's own source, edited while Node.js loads it. So a planted bug or a point to crash at exists
// in no line of the product, and the edit that does not fit any more ends the run.
import { registerHooks } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** One edit: `find` stands exactly once in the file. */
export interface SourceEdit {
  /** From the project's root, such as `src/agent/writeback/conclude.ts`. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

const ROOT = path.resolve(import.meta.dirname, '../..')

/** Edits the files as they are loaded from now on. Throws while loading when an edit does not fit. */
export function installEdits(edits: readonly SourceEdit[]): void {
  const byFile = Map.groupBy(edits, ({ file }) => path.join(ROOT, file))
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      const own = url.startsWith('file:') ? byFile.get(fileURLToPath(url)) : undefined
      if (own === undefined || loaded.source == null) return loaded
      return { ...loaded, source: own.reduce(applyEdit, String(Buffer.from(loaded.source as Uint8Array))) }
    },
  })
}

/** Gives the source with one edit made. Throws when the place is not there exactly once. */
export function applyEdit(source: string, { file, find, replace }: SourceEdit): string {
  const places = source.split(find).length - 1
  if (places !== 1) throw new Error(`the test build does not fit: ${places} places in ${file} for: ${find}`)
  return source.replace(find, () => replace)
}
