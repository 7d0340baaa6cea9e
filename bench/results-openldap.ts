// What the measurements on OpenLDAP come down to, each beside its target.
import type { OpenLdapMeasured } from './measure-openldap.ts'
import type { Result } from './results.ts'
import { median, percentile } from './statistics.ts'

const LEAST_RATE = 200
const MOST_CPU_MS = 2

/** All figures. Percentiles are over the operations of all rounds, rates and processor times the medians of rounds. */
export function openLdapResultsOf({ rounds, peakMemoryMb }: OpenLdapMeasured): Result[] {
  const levels = [...new Set(rounds.map(({ atOnce }) => atOnce))]
  const last = Math.max(...levels)
  return [
    ...levels.flatMap((atOnce) => levelResults(rounds, atOnce, atOnce === last)),
    { name: 'peak memory of the agent', value: peakMemoryMb, unit: 'MB' },
  ]
}

/** The targets are for what is sustained: where most requests are under way. */
function levelResults(all: OpenLdapMeasured['rounds'], atOnce: number, isSustained: boolean): Result[] {
  const rounds = all.filter((round) => round.atOnce === atOnce)
  const raw = rounds.flatMap(({ raw }) => raw.timesMs)
  const whole = rounds.flatMap(({ wholeWay }) => wholeWay.timesMs)
  const rate = median(rounds.map(({ wholeWay }) => wholeWay.rate))
  const cpu = (name: keyof (typeof rounds)[number]['usage']) => median(rounds.map(({ usage }) => usage[name]))
  const name = (what: string) => `${atOnce} at once: ${what}`
  const result = (what: string, value: number, unit: string): Result => ({ name: name(what), value, unit })
  const target = (text: string, met: boolean) => (isSustained ? { target: { text, met } } : {})
  return [
    result('(a2) read and modify, raw', median(rounds.map(({ raw }) => raw.rate)), '/s'),
    result('(a2) p50', percentile(raw, 0.5), 'ms'),
    { ...result('(b) the whole way', rate, '/s'), ...target(`≥ ${LEAST_RATE} /s`, rate >= LEAST_RATE) },
    result('(b) sealed to verdict, p50', percentile(whole, 0.5), 'ms'),
    result('(b) sealed to verdict, p99', percentile(whole, 0.99), 'ms'),
    {
      ...result('CPU of the agent, each request', cpu('agent'), 'ms'),
      ...target(`≤ ${MOST_CPU_MS} ms`, cpu('agent') <= MOST_CPU_MS),
    },
    result('CPU of the store, each request', cpu('store'), 'ms'),
    result('CPU of the private Redis, each request', cpu('redis'), 'ms'),
    result('CPU of slapd, each request', cpu('slapd'), 'ms'),
    result('CPU of the benchmark itself, each request', cpu('load'), 'ms'),
    result('CPU of all of them, each request', median(rounds.map(({ usage }) => sumOf(usage))), 'ms'),
  ]
}

const sumOf = (usage: OpenLdapMeasured['rounds'][number]['usage']): number =>
  Object.values(usage).reduce((sum, ms) => sum + ms, 0)
