// The end of a line that systemd would hold: a real datagram socket of the unix kind, which Node.js cannot open itself.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { bareEnvironment } from './child-process.ts'
import { makeScratchDirectory, removeScratchDirectory } from './scratch-directory.ts'

/** A running receiver. */
export interface NotifyReceiver {
  /** For NOTIFY_SOCKET. */
  readonly socket: string
  /** Every assignment that came, in its order. */
  readonly said: () => readonly string[]
  readonly stop: () => Promise<void>
}

// The file descriptor that a barrier sends is closed by the end of the answer, as systemd does it.
const RECEIVER = `
import array, os, socket, sys
end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
end.bind(sys.argv[1])
print("listening", flush=True)
while True:
    data, ancillary, _flags, _address = end.recvmsg(65536, socket.CMSG_LEN(64))
    for level, kind, value in ancillary:
        if kind == socket.SCM_RIGHTS:
            for fd in array.array("i", value[: len(value) - len(value) % 4]): os.close(fd)
    for line in data.decode().splitlines():
        if line and not line.startswith("BARRIER"): print(line, flush=True)
`

/** Starts a receiver; it ends with this process. */
export async function startNotifyReceiver(): Promise<NotifyReceiver> {
  const directory = makeScratchDirectory()
  const socket = path.join(directory, 'notify')
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '/usr/bin/python3', '-c', RECEIVER, socket], {
    env: bareEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8')
  const listening = new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the receiver ended with ${code}`)))
    child.stdout.on('data', (part: string) => {
      text += part
      if (text.startsWith('listening\n')) resolve()
    })
  })
  await listening
  return {
    socket,
    said: () => text.split('\n').slice(1, -1),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
      await removeScratchDirectory(directory)
    },
  }
}
