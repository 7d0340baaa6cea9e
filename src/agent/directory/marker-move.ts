// The marker's way from one value to the next, as the changes of a modify: a compare-and-set in every directory.
import type { Change } from '../../ldap-wire/encode-request.ts'

/** The marker's way from one value to the next. `before` undefined: the entry is believed to have none. */
export interface MarkerMove {
  readonly attribute: string
  readonly before: string | undefined
  readonly after: string
}

/** The changes of a fence: the marker moves, nothing else. */
export function fenceChanges(marker: MarkerMove): Change[] {
  const add: Change = { operation: 'add', attribute: marker.attribute, values: [Buffer.from(marker.after)] }
  if (marker.before === undefined) return [add]
  return [{ operation: 'delete', attribute: marker.attribute, values: [Buffer.from(marker.before)] }, add]
}
