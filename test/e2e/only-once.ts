// Suites run on every kind of directory; what has nothing to do with the directory is tried on one of them.
import { test } from '@jest/globals'
import { DIRECTORY_KINDS, type DirectoryKind } from '../servers/directory-kinds.ts'

/** `test` on the first kind of directory; on the others a test that is not there. */
export const onlyOnce =
  (kind: DirectoryKind) =>
  (...[title, run, timeoutMs]: Parameters<typeof test>): void => {
    if (kind === DIRECTORY_KINDS[0]) test(title, run, timeoutMs)
  }
