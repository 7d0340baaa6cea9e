// What an outcome says that this agent signed itself and took from its own journal: nothing is verified again.

/** The payload of the signed outcome. */
export function readOwnOutcome(jws: string): Readonly<Record<string, unknown>> {
  const [, payload = ''] = jws.split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
}
