// Chance that can be repeated: everything a chaos run decides comes from its seed.
import { createUniform } from '../fakes/uniform.ts'

/** Draws from one seed. */
export interface Random {
  /** From 0 to below 1. */
  readonly next: () => number
  /** From `low` to `high`, both included. */
  readonly between: (low: number, high: number) => number
  readonly pick: <T>(items: readonly T[]) => T
}

/** mulberry32: small, and good enough to choose faults. */
export function createRandom(seed: number): Random {
  const next = createUniform(seed)
  return {
    next,
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    pick: (items) => items[Math.floor(next() * items.length)] as (typeof items)[number],
  }
}
