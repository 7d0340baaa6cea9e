// Runs a tool of the system to its end.
import { execFileSync } from 'node:child_process'
import { WritebackError } from '../errors/writeback-error.ts'

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Runs a command and gives its output. Throws ERR_SERVICE_FAILED with what it said. */
export function runTool([command = '', ...args]: readonly string[]): string {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      env: { PATH, LC_ALL: 'C.UTF-8', SYSTEMD_PAGER: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (cause) {
    const { stderr = '', status, message } = cause as { stderr?: string; status?: number; message: string }
    const said = stderr.trim() || message
    throw new WritebackError('ERR_SERVICE_FAILED', `${command} ended with ${status ?? 'an error'}: ${said}`)
  }
}
