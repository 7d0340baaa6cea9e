// What the proxy saw of password writes, independent of the agent's own words.

import type { RecordedMessage } from '../servers/ldap-faults.ts'
import type { LdapProxy, ProxyWatch } from '../servers/ldap-proxy.ts'

const PASSWORD_ATTRIBUTES = new Set(['unicodepwd', 'userpassword'])

/** True for a modify request that carries a password. */
export const isPasswordWrite = ({ operation, direction, changes }: RecordedMessage): boolean =>
  operation === 'modify' &&
  direction === 'request' &&
  (changes ?? []).some(({ attribute }) => PASSWORD_ATTRIBUTES.has(attribute.toLowerCase()))

/** Whom messages are about: in Active Directory they go by the anchor, in OpenLDAP by the name. */
interface Named {
  readonly anchor: string
  readonly dn: string
}

/** True for a message about the account. */
export const isAbout = ({ dn = '' }: RecordedMessage, user: Named): boolean =>
  dn.includes(user.anchor) || dn.toLowerCase() === user.dn.toLowerCase()

/** Password writes of one account that reached the proxy, and those of them that the directory confirmed. */
export function passwordWrites(
  proxy: LdapProxy,
  user: Named,
): { readonly sent: number; readonly accepted: number } {
  const messages = proxy.messages()
  const sent = messages.filter((message) => isPasswordWrite(message) && isAbout(message, user))
  const accepted = sent.filter(({ connection, messageId }) =>
    messages.some(
      (answer) =>
        answer.direction === 'response' &&
        answer.operation === 'modifyResponse' &&
        answer.connection === connection &&
        answer.messageId === messageId &&
        answer.resultCode === 0,
    ),
  )
  return { sent: sent.length, accepted: accepted.length }
}

/** RFC 3062, which sets a password by an operation of its own: it could carry no marker. */
export const PASSWORD_MODIFY = '1.3.6.1.4.1.4203.1.11.1'
const USUAL = new Set(['bind', 'unbind', 'search', 'modify', 'abandon'])

/** Looks on for requests of other kinds than reads and modifies, whatever the proxy itself is told to forget: each with its OID. */
export function watchForOthers(): { readonly watch: ProxyWatch; readonly others: readonly string[] } {
  const others: string[] = []
  const onPdu: ProxyWatch['onPdu'] = ({ direction, operation, oid = '' }) => {
    if (direction === 'request' && !USUAL.has(operation)) others.push(`${operation} ${oid}`)
  }
  return { watch: { onPdu }, others }
}

/** Names that the agent tried to bind as. */
export const boundNames = (proxy: LdapProxy): ReadonlySet<string> =>
  new Set(
    proxy
      .messages()
      .flatMap(({ operation, direction, dn }) =>
        operation === 'bind' && direction === 'request' ? [dn ?? ''] : [],
      ),
  )
