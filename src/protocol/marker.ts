// The marker: one attribute of the account, written in the same modify as the effect. It makes a write happen once,
// and proves afterwards that it did. `wb1:<store>:<sequence>:<request>:<a|f>:<lease>.<n>:<password version>`

/** The parts of a marker. */
export interface Marker {
  /** Eight hex digits. */
  readonly store: string
  readonly sequence: number
  /** Request id with dashes, as everywhere else; the marker itself holds it without. */
  readonly requestId: string
  /** `applied`: the effect came with this value. `fenced`: only the marker was moved. */
  readonly flag: 'applied' | 'fenced'
  readonly lease: number
  /** One more on every write or fence the agent tries for the request. */
  readonly n: number
  /** Version of the password after this write; 0 when it is not known. */
  readonly passwordVersion: number
}

const FORM =
  /^wb1:([0-9a-f]{8}):([1-9]\d{0,15}):([0-9a-f]{32}):([af]):([1-9]\d{0,15})\.([1-9]\d{0,9}):(0|[1-9]\d{0,15})$/

/** The text of a marker, lower case, ASCII. */
export function formatMarker(marker: Marker): string {
  const { store, sequence, requestId, flag, lease, n, passwordVersion } = marker
  return `wb1:${store}:${sequence}:${requestId.replaceAll('-', '')}:${flag === 'applied' ? 'a' : 'f'}:${lease}.${n}:${passwordVersion}`
}

/** Reads a marker. AD compares it without regard to case, so upper case is read too. undefined: not a marker of version 1. */
export function parseMarker(text: string): Marker | undefined {
  const match = FORM.exec(text.toLowerCase())
  if (!match) return undefined
  const [, store = '', sequence, hex = '', flag, lease, n, version] = match
  const numbers = [sequence, lease, n, version].map(Number)
  if (!numbers.every(Number.isSafeInteger)) return undefined
  const requestId = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
  return {
    store,
    sequence: Number(sequence),
    requestId,
    flag: flag === 'a' ? 'applied' : 'fenced',
    lease: Number(lease),
    n: Number(n),
    passwordVersion: Number(version),
  }
}
