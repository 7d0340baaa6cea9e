// All passwords of the test servers, in one place. Each is a canary: a string that occurs nowhere else, so that a search
// through logs, files and memory tells at once who leaked it. Every call returns a fresh Buffer that may be wiped.

const canary = (text: string) => (): Buffer => Buffer.from(text, 'utf8')

/** Password of the Administrator of every test domain. */
export const adminPassword = canary('Canary-Admin!41-qVxh')
/** Password of the least-privilege service account of every test domain. */
export const servicePassword = canary('Canary-Service!52-wKzj')
/** First password of a test user. */
export const oldPassword = canary('Canary-Old!63-yBtm')
/** Password that a test reset writes. */
export const newPassword = canary('Canary-New!74-dRqp')
/** A second new password, for a later reset of the same user. */
export const laterPassword = canary('Canary-Later!85-gHsv')
/** The new password of a change by the user. */
export const changedPassword = canary('Canary-Changed!29-tPzv')
/** A password that never was valid. */
export const wrongPassword = canary('Canary-Wrong!96-kLnc')
/** Password of a Redis server that a test reaches by URL. */
export const redisPassword = canary('canary-redis-07-fJwx')

/** Every canary by name, for searches. */
export const allCanaries = (): Readonly<Record<string, Buffer>> => ({
  adminPassword: adminPassword(),
  servicePassword: servicePassword(),
  oldPassword: oldPassword(),
  newPassword: newPassword(),
  laterPassword: laterPassword(),
  changedPassword: changedPassword(),
  wrongPassword: wrongPassword(),
  redisPassword: redisPassword(),
})
