// Chance that can be repeated: every choice of a run comes from one seed.

/** A stream of choices. */
export interface Chance {
  /** From 0 up to but not including 1. */
  readonly next: () => number
  /** A whole number from `least` to `most`, both included. */
  readonly between: (least: number, most: number) => number
  /** True with this probability. */
  readonly happens: (probability: number) => boolean
  readonly pick: <T>(from: readonly T[]) => T
  /** So many hex digits. */
  readonly hex: (digits: number) => string
}

/** Makes a stream (sfc32 over a mixed seed). */
export function createChance(seed: number): Chance {
  let [a, b, c, d] = [seed | 0, 0x9e3779b9 | 0, (seed * 2654435761) | 0, 1]
  const next = () => {
    const sum = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return (sum >>> 0) / 4_294_967_296
  }
  for (let round = 0; round < 15; round += 1) next()
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return {
    next,
    between,
    happens: (probability) => next() < probability,
    pick: (from) => from[between(0, from.length - 1)] as (typeof from)[number],
    hex: (digits) => {
      let text = ''
      while (text.length < digits)
        text += Math.floor(next() * 65_536)
          .toString(16)
          .padStart(4, '0')
      return text.slice(0, digits)
    },
  }
}
