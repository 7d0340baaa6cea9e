// Passwords for measurements: no two alike, since OpenLDAP holds a reset to the history too.
let made = 0

/** A password that was never used before. */
export function freshPassword(): Buffer {
  made += 1
  return Buffer.from(`Canary-New!74-dRqp ${process.pid}.${made}`)
}
