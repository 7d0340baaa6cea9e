// Secret files that a service manager hands over. systemd puts a copy of each LoadCredential= into a directory that only the
// service may read; its name is the key of the configuration, so that the same file serves with and without systemd.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { AgentConfig } from './agent-config.ts'

/** A secret of a configuration. */
export interface SecretPlace {
  /** The key that names the file: `directories.corp.bind.passwordFile`. */
  readonly key: string
  readonly file: string
}

/** Every secret file that a configuration names. */
export function secretPlaces({ directories, keys, queue, store }: AgentConfig): readonly SecretPlace[] {
  const places = [
    ...Object.entries(directories).map(([name, { bind }]) => ({
      key: `directories.${name}.bind.passwordFile`,
      file: bind.passwordFile as string | undefined,
    })),
    { key: 'keys.passphraseFile', file: keys.passphraseFile },
    { key: 'queue.passwordFile', file: queue.passwordFile },
    { key: 'store.clientKeyFile', file: store.clientKeyFile },
  ]
  return places.flatMap(({ key, file }) => (file === undefined ? [] : [{ key, file }]))
}

/** The configuration with each secret that was handed over in the place of its file. `directory`: CREDENTIALS_DIRECTORY. */
export function withCredentials(config: AgentConfig, directory: string | undefined): AgentConfig {
  if (directory === undefined || directory === '') return config
  const placeOf = (key: string, file: string): string => {
    const handed = join(directory, key)
    return existsSync(handed) ? handed : file
  }
  const { keys, queue, store } = config
  const directories = Object.entries(config.directories).map(([name, one]) => {
    const passwordFile = placeOf(`directories.${name}.bind.passwordFile`, one.bind.passwordFile)
    return [name, { ...one, bind: { ...one.bind, passwordFile } }]
  })
  return {
    ...config,
    store:
      store.clientKeyFile === undefined
        ? store
        : { ...store, clientKeyFile: placeOf('store.clientKeyFile', store.clientKeyFile) },
    keys:
      keys.passphraseFile === undefined
        ? keys
        : { ...keys, passphraseFile: placeOf('keys.passphraseFile', keys.passphraseFile) },
    queue:
      queue.passwordFile === undefined
        ? queue
        : { ...queue, passwordFile: placeOf('queue.passwordFile', queue.passwordFile) },
    directories: Object.fromEntries(directories),
  }
}
