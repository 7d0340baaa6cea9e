// An address where nothing answers a new connection, not even by refusing it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { bareEnvironment } from './child-process.ts'
import { takeLoopbackAddress } from './loopback-address.ts'

// A listener whose queue is full drops each new SYN, as a firewall does.
const BLACKHOLE = `
import socket, sys, time
listener = socket.socket()
listener.bind((sys.argv[1], 636))
listener.listen(0)
waiting = []
for _ in range(4):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex((sys.argv[1], 636))
    waiting.append(one)
time.sleep(0.3)
print('full', flush=True)
time.sleep(60)
`

/** Starts one; the caller stops it, and it ends with this process. */
export async function startBlackhole(): Promise<{ url: string; stop: () => Promise<void> }> {
  const loopback = await takeLoopbackAddress()
  const child: ChildProcess = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', '/usr/bin/python3', '-c', BLACKHOLE, loopback.address],
    { env: bareEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data')
  return {
    url: `ldaps://${loopback.address}`,
    stop: async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
      await loopback.release()
    },
  }
}
