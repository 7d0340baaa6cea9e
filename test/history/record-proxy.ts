// The observer at the directory's door: what the proxies of one agent see, decoded behind TLS. Of a password it keeps the
// digest, and asks for its name when all requests are known.
import { createHash } from 'node:crypto'
import { BerReader } from 'ldapts'
import { parseMarker } from '../../src/protocol/marker.ts'
import type { RecordedMessage } from '../servers/ldap-faults.ts'
import type { ProxyWatch } from '../servers/ldap-proxy.ts'
import type { SeenChange } from './event.ts'
import type { Recorder } from './record-run.ts'

/** Whom the observer tells apart. */
export interface ProxyScene {
  readonly recorder: Recorder
  /** The server behind the proxy; asked when an event is written, since it is known late. */
  readonly server: () => string
  /** The id of the agent before it, asked for likewise. */
  readonly agent: () => string | null
  readonly serviceAccount: () => string
  /** The account behind `<GUID=…>` or a name; `?` for every other entry. */
  readonly accountOf: (dn: string) => string
}

/** The proxy's eyes, and what to call when the run is over and all secrets have their names. */
export interface ProxyObserver {
  readonly watch: ProxyWatch
  readonly finish: () => void
}

interface ArrivedModify {
  readonly id: number
  readonly at: number
  readonly sentAt: number
  readonly dn: string
  readonly changes: readonly RawChange[]
  readonly controls: readonly { readonly oid: string; readonly critical: boolean }[]
}

interface RawChange extends SeenChange {
  readonly isSecret: boolean
}

const SECRETS = new Set(['unicodepwd', 'userpassword', 'cleartextpassword'])
const OTHERS = new Set(['add', 'delete', 'modifyDn', 'compare', 'extended', 'abandon'])
let lastId = 0

/** Observes the proxies of one agent. */
export function observeProxy(scene: ProxyScene): ProxyObserver {
  const { recorder } = scene
  const modifies: ArrivedModify[] = []
  const sent = new Map<string, number>()
  const begun = new Map<string, { readonly at: number; readonly dn: string }>()
  const found = new Map<string, Set<string>>()
  const unanswered = new Map<string, number[]>()
  const keyOf = ({ connection, messageId }: RecordedMessage) => `${connection} ${messageId}`
  const common = () => ({ observer: 'proxy' as const, server: scene.server() })

  const onRequest = (message: RecordedMessage) => {
    const { operation } = message
    if (operation === 'modify') sent.set(keyOf(message), recorder.now())
    if (OTHERS.has(operation))
      recorder.add({
        at: recorder.now(),
        ...common(),
        kind: 'other_operation',
        agent: scene.agent(),
        operation,
      })
  }
  const onForwarded = (message: RecordedMessage, pdu: Buffer) => {
    const key = keyOf(message)
    const at = recorder.now()
    if (message.operation === 'bind' || message.operation === 'search')
      begun.set(key, { at, dn: message.dn ?? '' })
    if (message.operation !== 'modify') return
    lastId += 1
    modifies.push({
      id: lastId,
      at,
      sentAt: sent.get(key) ?? at,
      dn: message.dn ?? '',
      ...readModifyPdu(pdu),
    })
    unanswered.set(key, [...(unanswered.get(key) ?? []), lastId])
  }
  const onResponse = (message: RecordedMessage) => {
    const key = keyOf(message)
    const { operation, resultCode = -1, diagnostic = '' } = message
    if (operation === 'modifyResponse') {
      const id = unanswered.get(key)?.shift()
      if (id === undefined) return
      const hex = /^([0-9A-Fa-f]{8})/.exec(diagnostic)?.[1]?.toUpperCase()
      const answer = { id, code: resultCode, ...(hex === undefined ? {} : { hex }) }
      recorder.add({ at: recorder.now(), ...common(), kind: 'answered', ...answer })
    } else if (operation === 'bindResponse') {
      const name = begun.get(key)?.dn ?? ''
      const who = name === '' ? 'anonymous' : name === scene.serviceAccount() ? 'service' : 'user'
      const bind = { who, accepted: resultCode === 0, isSecure: true } as const
      recorder.add({ at: recorder.now(), ...common(), kind: 'bind', agent: scene.agent(), ...bind })
    } else if (operation === 'searchEntry') {
      found.set(key, (found.get(key) ?? new Set()).add(scene.accountOf(message.dn ?? '')))
    } else if (operation === 'searchDone') {
      // What stood there when the question was passed on is in the answer for certain.
      const at = begun.get(key)?.at ?? recorder.now()
      for (const account of found.get(key) ?? [])
        if (account !== '?') recorder.add({ at, ...common(), kind: 'read', agent: scene.agent(), account })
      found.delete(key)
    }
  }
  return {
    watch: {
      onPdu: (message) => (message.direction === 'request' ? onRequest(message) : onResponse(message)),
      onForwarded,
    },
    finish: () => {
      for (const { dn, changes, ...modify } of modifies)
        recorder.add({
          ...modify,
          ...common(),
          kind: 'modify',
          agent: scene.agent(),
          account: scene.accountOf(dn),
          changes: nameSecrets(recorder, changes),
          isSecure: true,
        })
    },
  }
}

function nameSecrets(recorder: Recorder, changes: readonly RawChange[]): SeenChange[] {
  const after = changes.flatMap(({ operation, values }) => (operation === 'delete' ? [] : values))
  const request = after.map((value) => parseMarker(value)?.requestId).find((id) => id !== undefined)
  return changes.map(({ isSecret, operation, attribute, values }) => ({
    operation,
    attribute,
    values: isSecret
      ? values.map((digest) => recorder.secrets.nameOf(digest, request, operation === 'delete'))
      : values,
  }))
}

const OPERATIONS = ['add', 'delete', 'replace'] as const
const [SEQUENCE, SET, OCTET_STRING, BOOLEAN, MODIFY, CONTROLS] = [0x30, 0x31, 0x04, 0x01, 0x66, 0xa0]

/** Reads changes and controls of a modify, passwords as digests of their value. With ldapts' reader, not the project's own. */
function readModifyPdu(pdu: Buffer): Pick<ArrivedModify, 'changes' | 'controls'> {
  const message = inside(new BerReader(pdu), SEQUENCE)
  message.readInt()
  const body = inside(message, MODIFY)
  body.readString(OCTET_STRING, true)
  const list = inside(body, SEQUENCE)
  const changes: RawChange[] = []
  while (list.remain > 0) {
    const change = inside(list, SEQUENCE)
    const operation = OPERATIONS[change.readEnumeration() ?? -1] ?? 'replace'
    const attribute = inside(change, SEQUENCE)
    const name = String(attribute.readString(OCTET_STRING, true))
    const isSecret = SECRETS.has(name.toLowerCase())
    const values = readAll(inside(attribute, SET)).map((value) =>
      isSecret ? createHash('sha256').update(value).digest('hex') : value.toString(),
    )
    changes.push({ operation, attribute: name, values, isSecret })
  }
  return { changes, controls: readControls(message) }
}

function readControls(message: BerReader): { oid: string; critical: boolean }[] {
  const controls: { oid: string; critical: boolean }[] = []
  if (message.peek() !== CONTROLS) return controls
  const list = inside(message, CONTROLS)
  while (list.remain > 0) {
    const control = inside(list, SEQUENCE)
    const oid = String(control.readString(OCTET_STRING, true))
    controls.push({ oid, critical: control.peek() === BOOLEAN && control.readBoolean() === true })
  }
  return controls
}

function readAll(reader: BerReader): Buffer[] {
  const values: Buffer[] = []
  while (reader.remain > 0) values.push(reader.readString(OCTET_STRING, true) ?? Buffer.alloc(0))
  return values
}

function inside(reader: BerReader, tag: number): BerReader {
  const content = reader.readString(tag, true)
  if (content === null) throw new Error('an LDAP message is shorter than it says')
  return new BerReader(content)
}
