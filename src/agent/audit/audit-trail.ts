// What the rest of the agent sees of the audit record.

/** The running record of one agent. */
export interface AuditTrail {
  /** False while the record cannot be written: then no write may begin. */
  readonly isWritable: () => boolean
  /** True as soon as this entry of the journal stands in the record, on the disk; false: it cannot be written now. */
  readonly reached: (entry: number) => Promise<boolean>
  /** The journal has something new for the record; nobody waits for it. */
  readonly wake: () => void
}

/** Where the entries wait until they stand in the record: the journal. */
export interface AuditSource {
  /** In order, behind `after`; JSON. */
  readonly entries: (
    after: number,
    limit: number,
  ) => readonly { readonly entry: number; readonly record: string }[]
  /** The record has all up to this one; `line`: where it ends now. */
  readonly appended: (through: number, line: TakenLine) => void
  /** At the start, before `resume`: what the record must hold; undefined: nothing was ever taken over. */
  readonly taken: () => Taken | undefined
  /**
   * Once, at the start: the last entry that stands in the record. Gives the last one that must: when it is larger, the record
   * has lost lines.
   */
  readonly resume: (through: number, atMs: number) => number
  /** Makes every entry available. */
  readonly settle: () => void
}

/** A line of the record. */
export interface TakenLine {
  readonly sequence: number
  readonly hash: string
}

/** The line with which the record ended at the last word of it, and every entry that may stand behind. */
export interface Taken extends TakenLine {
  readonly waiting: readonly { readonly entry: number; readonly record: string }[]
}
