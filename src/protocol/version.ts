// The version of this program, kept equal to package.json by a test.

/** Semantic version. */
export const VERSION = '0.1.0'
