// One administrator connection of a test server, opened when it is first needed.
import type { Client } from 'ldapts'

/** Keeps one client; `close` ends it, and the next call opens another. */
export function keepClient(open: () => Promise<Client>) {
  let opened: Promise<Client> | undefined
  return {
    client: (): Promise<Client> => {
      opened ??= open()
      return opened
    },
    close: async (): Promise<void> => {
      const last = opened
      opened = undefined
      await last?.then((client) => client.unbind()).catch(() => undefined)
    },
  }
}
