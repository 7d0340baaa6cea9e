// Chance that can be had again: everything a fuzz run does comes from one number, its seed.
import { createUniform } from '../fakes/uniform.ts'

/** A source of chance. */
export interface Random {
  /** From 0 to `below` - 1. */
  readonly int: (below: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <T>(list: readonly T[]) => T
  readonly bytes: (length: number) => Buffer
}

/** Makes a source out of a seed (mulberry32). */
export function createRandom(seed: number): Random {
  const next = createUniform(seed)
  const int = (below: number) => Math.floor(next() * below)
  return {
    int,
    chance: (probability) => next() < probability,
    pick: <T>(list: readonly T[]): T => {
      if (list.length === 0) throw new Error('nothing to pick from')
      return list[int(list.length)] as T
    },
    bytes: (length) => Buffer.from(Array.from({ length }, () => int(256))),
  }
}

/** Splits a seed, so that one part of a run does not depend on how often another asked. */
export const seedOf = (seed: number, part: number): number => Math.imul(seed ^ 0x9e3779b9, part * 2 + 1) >>> 0
