// Takes a changed configuration over while the agent runs: what is safe at once, and of the rest says that it needs a restart.
// A file with faults changes nothing.
import type { AgentConfig } from '../config/agent-config.ts'
import { ConfigError, type ConfigFault } from '../config/read-config.ts'
import { errorFields, type Logger, type LogLevel } from '../telemetry/logger.ts'
import type { WriteLimits } from './decisions/write-limits.ts'

/** What a reload came to. Keys are paths of the configuration: `directories.corp.limits.burst`. */
export interface ReloadView {
  /** The values of these keys hold from now on. */
  readonly applied: readonly string[]
  /** These keys are other than what the agent runs with; a restart takes them over. */
  readonly needsRestart: readonly string[]
  /** Why nothing was taken over, each fault with its place. */
  readonly faults: readonly ConfigFault[]
  /** Why the file could not be read, else null. */
  readonly problem: string | null
}

/** What a reload is done with. */
export interface ReloadOptions {
  readonly config: AgentConfig
  /** Reads the file anew. Throws as readAgentConfig does. */
  readonly readConfig: () => AgentConfig
  readonly setLogLevel: (level: LogLevel) => void
  readonly setLimits: (directory: string, limits: WriteLimits) => void
  readonly log: Logger
}

/** The configuration that a running agent goes by. */
export interface RunningConfig {
  readonly current: () => AgentConfig
  /** Reads the file and applies what can be; logs all it says. */
  readonly reload: () => ReloadView
}

const NOTHING: ReloadView = { applied: [], needsRestart: [], faults: [], problem: null }
// Small on purpose: each of these is read where it is used, and no part holds a copy that could disagree.
const LIVE = /^(log\.level|shutdownTimeoutSeconds|directories\.[^.]+\.limits\.[^.]+)$/

/** Keeps the running configuration. */
export function createRunningConfig(options: ReloadOptions): RunningConfig {
  const { readConfig, log } = options
  let running = options.config
  const take = (): ReloadView => {
    const fresh = readConfig()
    const changed = changedKeys(running, fresh)
    const before = running
    const applied = changed.filter((key) => LIVE.test(key) && !isHeldBack(key, changed, before, fresh))
    const needsRestart = changed.filter((key) => !applied.includes(key))
    const next = merge(before, fresh, new Set(applied))
    const limits = Object.entries(next.directories)
      .filter(([name]) => applied.some((key) => key.startsWith(limitsKey(name))))
      .map(([name, directory]) => [name, writeLimitsOf(directory.limits)] as const)
    for (const [name, own] of limits) options.setLimits(name, own)
    options.setLogLevel(next.log.level)
    // Last: what failed before is found different again by the next reload.
    running = next
    log.info('configuration reloaded', { applied })
    if (needsRestart.length > 0)
      log.warn('the configuration has changes that need a restart', { keys: needsRestart })
    return { ...NOTHING, applied, needsRestart }
  }
  return {
    current: () => running,
    reload: () => {
      try {
        return take()
      } catch (error) {
        const faults = error instanceof ConfigError ? error.faults : []
        log.error('the configuration is not taken over: nothing has changed', {
          ...errorFields(error),
          ...(faults.length > 0 ? { faults } : {}),
        })
        return { ...NOTHING, faults, problem: String(errorFields(error)['error']) }
      }
    },
  }
}

/** The limits of a directory as they are counted by. */
export function writeLimitsOf(limits: AgentConfig['directories'][string]['limits']): WriteLimits {
  const { burstMinutes, ...rest } = limits
  return { ...rest, burstWindowMs: burstMinutes * 60_000 }
}

type Limits = AgentConfig['directories'][string]['limits']
const limitsKey = (directory: string): string => `directories.${directory}.limits.`

/**
 * True for a limit that lets more through than now, of a directory that has changes for a restart as well: whoever allows more
 * writes may count on what holds only then, such as a narrower scope.
 */
function isHeldBack(
  key: string,
  changed: readonly string[],
  running: AgentConfig,
  fresh: AgentConfig,
): boolean {
  const name = Object.keys(running.directories).find((one) => key.startsWith(limitsKey(one)))
  if (name === undefined) return false
  const waits = changed.some((one) => one.startsWith(`directories.${name}.`) && !LIVE.test(one))
  const limit = key.slice(limitsKey(name).length) as keyof Limits
  const [now, then] = [
    running.directories[name]?.limits[limit] ?? 0,
    fresh.directories[name]?.limits[limit] ?? 0,
  ]
  // The shorter the window, the more fits into a day.
  return waits && (limit === 'burstMinutes' ? then < now : then > now)
}

/** The running configuration with those values of the fresh one that are applied. */
function merge(running: AgentConfig, fresh: AgentConfig, applied: ReadonlySet<string>): AgentConfig {
  const limitsOf = (name: string, limits: Limits): Limits => {
    const values = Object.entries(fresh.directories[name]?.limits ?? {})
    return {
      ...limits,
      ...Object.fromEntries(values.filter(([limit]) => applied.has(`${limitsKey(name)}${limit}`))),
    }
  }
  const directories = Object.entries(running.directories).map(([name, directory]) => [
    name,
    { ...directory, limits: limitsOf(name, directory.limits) },
  ])
  return {
    ...running,
    log: { ...running.log, level: fresh.log.level },
    shutdownTimeoutSeconds: fresh.shutdownTimeoutSeconds,
    directories: Object.fromEntries(directories),
  }
}

/** Paths of what differs, down to single values; a part that only one side has is named as a whole. */
export function changedKeys(before: unknown, after: unknown, path: readonly string[] = []): string[] {
  if (!isSection(before) || !isSection(after))
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [path.join('.')]
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].flatMap((name) => changedKeys(before[name], after[name], [...path, name]))
}

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
