// Gives every test server a loopback address of its own, so that several with the same fixed port run side by side.
import net from 'node:net'

/** All addresses that test servers use; the test certificates name each of them. */
export const LOOPBACK_ADDRESSES: readonly string[] = Array.from(
  { length: 200 },
  (_, i) => `127.0.77.${i + 1}`,
)

/** An address held by this process until `release()` or its end. */
export interface LoopbackAddress {
  readonly address: string
  readonly release: () => Promise<void>
}

/** Takes a free address. What holds it is an abstract unix socket, which ends with the process and needs no clean-up. */
export async function takeLoopbackAddress(): Promise<LoopbackAddress> {
  const first = Math.floor(Math.random() * LOOPBACK_ADDRESSES.length)
  for (let i = 0; i < LOOPBACK_ADDRESSES.length; i += 1) {
    const address = LOOPBACK_ADDRESSES[(first + i) % LOOPBACK_ADDRESSES.length] as string
    const holder = await tryListen(`\0writeback-test-${address}`)
    if (holder) return { address, release: () => new Promise((resolve) => holder.close(() => resolve())) }
  }
  throw new Error('no free loopback address')
}

function tryListen(name: string): Promise<net.Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(name, () => {
      server.unref()
      resolve(server)
    })
  })
}

/** A port of 127.0.0.1 that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
