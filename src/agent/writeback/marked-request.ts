// A request as the marker on an account knows it.
import type { MarkedRequest } from '../decisions/judge-marker.ts'
import type { Work } from './writeback-parts.ts'

/** The fields that a marker is compared with. */
export const markedRequest = ({ open, document }: Work): MarkedRequest => ({
  store: document.store,
  id: document.id,
  sequence: document.sequence,
  lease: open.lease,
  issuedAt: document.issuedAt,
})
