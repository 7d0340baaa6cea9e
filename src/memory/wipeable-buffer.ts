// Memory for secrets: one place, which nothing moves.

/**
 * A zeroed Buffer of its own, outside the pool and outside V8's heap. `Buffer.allocUnsafeSlow` is not enough: V8
 * keeps up to 64 bytes of a typed array on its heap, where the garbage collector copies them and `fill(0)` reaches
 * only the newest copy.
 */
export function wipeableBuffer(length: number): Buffer {
  return Buffer.from(new ArrayBuffer(length))
}
