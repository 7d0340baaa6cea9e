// Loaded into agent and store before their program, with --profile: each SIGUSR2 begins a processor profile or ends it into the
// file that PROFILE_FILE names. The command-line options of Node.js would do for the start-up, too, and the agent refuses them.
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'

const SAMPLE_EVERY_US = 500
const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US })

let isRunning = false
process.on('SIGUSR2', () => {
  isRunning = !isRunning
  if (isRunning) session.post('Profiler.start')
  else
    session.post('Profiler.stop', (_error, { profile }) => {
      writeFileSync(process.env['PROFILE_FILE'] ?? 'profile.cpuprofile', JSON.stringify(profile))
    })
})
