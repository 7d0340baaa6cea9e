// The faults that the crash matrix plays, for the registry of faults.
import type { FaultId } from '../faults/registry.ts'

/** Cells and pauses of crash-matrix.ts: each is judged by outcome, directory, journal and the history checker. */
export const PLAYS: readonly FaultId[] = ['kill_at_each_crash_point', 'stopped_past_its_lease']
