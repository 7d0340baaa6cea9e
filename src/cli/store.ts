// writeback store: runs the reset store; its subcommands administer a running one.
import type { Command } from 'commander'
import { systemClock } from '../clock/clock.ts'
import { readCertificates, readKey } from '../config/pem-file.ts'
import { readStoreConfig } from '../config/store-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { EXIT, type Io, type SetExit } from './io.ts'
import { stopRequest } from './stop-request.ts'
import { addStoreAdministration } from './store-administration.ts'
import { addStorePolicyCommands } from './store-policy.ts'
import { addStoreProbeCommands } from './store-probe.ts'
import { addStoreRequestCommands } from './store-request.ts'
import { admitRuntime } from './unsafe-runtime.ts'
import { growYoungGeneration } from './young-generation.ts'

const EXAMPLES = `
Examples:
  writeback store --config /etc/writeback/store.yaml
  writeback store user add ada --display-name "Ada Example" --directory corp --anchor 5f3c… --config store.yaml
  writeback store enrolment-code --directory corp --config store.yaml
  writeback store request reset ada --wait --config store.yaml
  writeback store request inspect ada --config store.yaml
  writeback store probe list --config store.yaml`

/** Adds the command and its subcommands. */
export function addStoreCommand(program: Command, io: Io, setExit: SetExit): void {
  const store = program
    .command('store')
    .description('run the reset store, or administer a running one')
    // A subcommand has words of the same name; each belongs to what it follows.
    .enablePositionalOptions()
    .option('--config <file>', 'the store’s configuration, YAML')
    .option('--allow-debug', 'run even where a debugging option makes secrets readable, and warn', false)
    .addHelpText('after', EXAMPLES)
    .action(async (words: StoreWords) => setExit(await runStore(io, words)))
  addStoreAdministration(store, io)
  addStorePolicyCommands(store, io)
  addStoreRequestCommands(store, io, setExit)
  addStoreProbeCommands(store, io, setExit)
}

interface StoreWords {
  readonly config?: string
  readonly allowDebug: boolean
}

async function runStore(io: Io, { config: configFile, allowDebug }: StoreWords): Promise<number> {
  const unsafe = admitRuntime(io, allowDebug)
  if (configFile === undefined) throw new WritebackError('ERR_USAGE', 'the store needs --config')
  const config = readStoreConfig(configFile)
  // Loaded here: the other commands start without the server and the database.
  const { createResetStore } = await import('../reset-store/create-reset-store.ts')
  const { createLogger } = await import('../telemetry/logger.ts')
  const log = createLogger({ ...config.log, stream: io.stdout })
  const store = createResetStore({
    ...{ dataDirectory: config.dataDirectory, listen: config.listen, publicUrl: config.publicUrl },
    tls: {
      ...{ cert: readCertificates(config.tls.certificateFile), key: readKey(config.tls.keyFile) },
      ...(config.tls.clientCaFile === undefined
        ? {}
        : { clientCa: readCertificates(config.tls.clientCaFile) }),
    },
    ...{ tenant: config.tenant, requestLifetimeMs: config.requestLifetimeSeconds * 1000 },
    probes: (config.probes ?? []).map(({ user, everyMinutes }) => ({ user, everyMs: everyMinutes * 60_000 })),
    ...{ log, clock: systemClock },
  })
  for (const finding of unsafe) log.warn('the runtime is unsafe, and allowed', { finding })
  const { asked: stopped } = stopRequest(io)
  await store.start()
  growYoungGeneration(4)
  try {
    log.info('stopping', { signal: await stopped })
    return EXIT.done
  } finally {
    await store.stop()
    log.info('reset store stopped')
  }
}
