// What the proof looks at itself, beside what the page shows: whether a service runs and the password was reset, and whether nothing is
// left of it in the end.
import type { FreshMachine } from './fresh-machine.ts'

/** One look, and what is wrong; undefined: it is as it should be. */
export interface Look {
  readonly what: string
  readonly fault: string | undefined
}

const USER = 'uid=alice,ou=People,dc=example,dc=org'
const BIND = `LDAPTLS_CACERT=/srv/try/public/ca.crt ldapwhoami -x -H ldaps://127.0.0.1:6361 -D ${USER} -y /dev/stdin`
const LEFT = ['/etc/writeback', '/var/lib/writeback', '/srv/try', '/srv/try-store', '/opt/try-slapd']
const LEFT_UNIT = '/etc/systemd/system/writeback.service'
const NAMES = 'cat /proc/[0-9]*/comm'

/** Looks at the service, and binds as the user: with the new password and with one that was never set. */
export async function checkReset(machine: FreshMachine, password: string): Promise<readonly Look[]> {
  const state = await outputOf(machine, 'systemctl is-active writeback')
  const user = await outputOf(machine, 'systemctl show --property=User --value writeback')
  const bind = (word: string) => outputOf(machine, `printf %s '${word}' | ${BIND}`)
  return [
    { what: 'the service is active', fault: unless(state, 'active') },
    { what: 'it runs as its own user', fault: unless(user, 'writeback') },
    { what: 'the new password signs in', fault: unless(await bind(password), `dn:${USER}`) },
    { what: 'another password does not', fault: unless(await bind(`${password}x`), '') },
  ]
}

/** Looks for what the page should have taken away again. */
export async function checkGone(machine: FreshMachine): Promise<readonly Look[]> {
  const places = [...LEFT, LEFT_UNIT].join(' ')
  const running = (await outputOf(machine, NAMES)).split('\n')
  const programs = running.filter((name) => /^(?:node|try-slapd|slapd|redis-server)/.test(name))
  return [
    { what: 'no file is left', fault: unless(await outputOf(machine, `ls -d ${places} 2>/dev/null`), '') },
    { what: 'no user is left', fault: unless(await outputOf(machine, 'id -u writeback 2>/dev/null'), '') },
    { what: 'no program is left', fault: unless(programs.join(), '') },
  ]
}

const unless = (came: string, expected: string): string | undefined =>
  came === expected ? undefined : `expected ${JSON.stringify(expected)}, came ${JSON.stringify(came)}`

/** What a script prints on its standard output, whatever its status. */
const outputOf = async (machine: FreshMachine, script: string): Promise<string> =>
  (await machine.run('sh', '-c', `${script}; true`)).trim()
