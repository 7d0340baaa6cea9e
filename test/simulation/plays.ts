// The faults that the simulation plays, for the registry of faults, where no test on real servers can.
import type { FaultId } from '../faults/registry.ts'

/** Two directory servers that hear of each other's writes late; the history checker judges every run. */
export const PLAYS: readonly FaultId[] = ['replication_lag']
