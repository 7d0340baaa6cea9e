// The brand of a clear password in memory. Only keys, writeback/write-password and directory may name it.

declare const clear: unique symbol

/** The UTF-8 bytes of one clear password. Lives on one call stack and is wiped by whoever opened it. */
export type ClearBytes = Buffer & { readonly [clear]: true }
