// What the proxy saw of password writes, independent of the agent's own words.

import type { RecordedMessage } from '../servers/ldap-faults.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'

/** True for a modify request that carries a password. */
export const isPasswordWrite = ({ operation, direction, changes }: RecordedMessage): boolean =>
  operation === 'modify' &&
  direction === 'request' &&
  (changes ?? []).some(({ attribute }) => attribute.toLowerCase() === 'unicodepwd')

/** Password writes of one account that reached the proxy, and those of them that the directory confirmed. */
export function passwordWrites(
  proxy: LdapProxy,
  user: { readonly anchor: string },
): { readonly sent: number; readonly accepted: number } {
  const messages = proxy.messages()
  const sent = messages.filter((message) => isPasswordWrite(message) && message.dn?.includes(user.anchor))
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

/** Names that the agent tried to bind as. */
export const boundNames = (proxy: LdapProxy): ReadonlySet<string> =>
  new Set(
    proxy
      .messages()
      .flatMap(({ operation, direction, dn }) =>
        operation === 'bind' && direction === 'request' ? [dn ?? ''] : [],
      ),
  )
