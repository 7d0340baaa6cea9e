// A plain relay on a loopback address of its own, for what happens below TLS: it can be slow, forget connections without
// a word to either side, and lead somewhere else.
import net from 'node:net'
import { type LoopbackAddress, takeLoopbackAddress } from './loopback-address.ts'

/** Where a relay leads. */
export interface RelayTarget {
  readonly host: string
  readonly port: number
}

/** A running relay. */
export interface TcpRelay {
  readonly address: string
  /** The port of the first target. */
  readonly port: number
  /** Connections that were made so far. */
  readonly connections: () => number
  /** From now on every connection carries so many bytes a second in each direction; undefined: as fast as it can. */
  readonly limitTo: (bytesPerSecond: number | undefined) => void
  /**
   * What is open stays open, and nothing of it arrives anywhere any more, as after a NAT forgot it. `which`: only connections
   * whose client began with such words.
   */
  readonly forgetOpen: (which?: (words: string) => boolean) => void
  /** So it goes with every connection, also a new one, as soon as its client says such words. Undefined: with none. */
  readonly forgetNew: (which: ((words: string) => boolean) | undefined) => void
  /** Ends what is open; new connections go to `target`. */
  readonly leadTo: (target: RelayTarget) => void
  readonly stop: () => Promise<void>
}

interface Pair {
  readonly sockets: readonly [client: net.Socket, server: net.Socket]
  isForgotten: boolean
  /** The first words of the client. */
  words: string
}

const STEPS_A_SECOND = 20
const MOST_WORDS = 4096

/** Starts a relay to `target`, on the same port of another address. The caller stops it. */
export async function startTcpRelay(target: RelayTarget): Promise<TcpRelay> {
  const loopback = await takeLoopbackAddress()
  const pairs = new Set<Pair>()
  let leadsTo = target
  let limit: number | undefined
  let total = 0
  let isToForget: ((words: string) => boolean) | undefined
  const listener = net.createServer((client) => {
    total += 1
    const server = net.connect(leadsTo)
    const pair: Pair = { sockets: [client, server], isForgotten: false, words: '' }
    client.on('data', (data) => {
      if (pair.words.length < MOST_WORDS) pair.words += data.toString('latin1')
      if (isToForget?.(pair.words)) pair.isForgotten = true
    })
    pairs.add(pair)
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const)
      carry(pair, from, to, () => limit)
    server.on('close', () => pairs.delete(pair))
  })
  await listen(listener, loopback, target.port)
  const endAll = () => {
    for (const { sockets } of pairs) for (const socket of sockets) socket.destroy()
    pairs.clear()
  }
  return {
    address: loopback.address,
    port: target.port,
    connections: () => total,
    limitTo: (bytesPerSecond) => {
      limit = bytesPerSecond
    },
    forgetOpen: (which = () => true) => {
      for (const pair of pairs) pair.isForgotten ||= which(pair.words)
    },
    forgetNew: (which) => {
      isToForget = which
    },
    leadTo: (next) => {
      leadsTo = next
      endAll()
    },
    stop: async () => {
      listener.close()
      endAll()
      await loopback.release()
    },
  }
}

function listen(listener: net.Server, { address }: LoopbackAddress, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject)
    listener.listen(port, address, () => resolve())
  })
}

function carry(pair: Pair, from: net.Socket, to: net.Socket, limit: () => number | undefined): void {
  from.setNoDelay(true)
  from.on('error', () => undefined)
  from.on('close', () => {
    if (!pair.isForgotten) to.destroy()
  })
  from.on('data', (data) => {
    if (pair.isForgotten) return
    const bytesPerSecond = limit()
    if (bytesPerSecond === undefined) return void to.write(data)
    from.pause()
    const size = Math.max(1, Math.floor(bytesPerSecond / STEPS_A_SECOND))
    let sent = 0
    const timer = setInterval(() => {
      if (sent < data.length && !to.destroyed) {
        to.write(data.subarray(sent, sent + size))
        sent += size
        return
      }
      clearInterval(timer)
      from.resume()
    }, 1_000 / STEPS_A_SECOND)
    return undefined
  })
}
