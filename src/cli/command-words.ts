// Every word that the command line takes, by the command it may follow; read from the commands themselves.
import type { Command, Option } from 'commander'

/** What may follow an option that takes a value. */
export type OptionValue =
  | { readonly kind: 'file' }
  | { readonly kind: 'choices'; readonly choices: readonly string[] }
  | { readonly kind: 'text' }

/** One command and what may follow it. */
export interface CommandWords {
  /** Names from the program on: `writeback audit show`. */
  readonly path: string
  /** Subcommands, options, and the choices of its arguments. */
  readonly words: readonly string[]
  /** By option. */
  readonly values: Readonly<Record<string, OptionValue>>
}

/** The command and all below it, `help` among them. */
export function readCommandWords(command: Command, path: string = command.name()): readonly CommandWords[] {
  const help = command.createHelp()
  const subcommands = help.visibleCommands(command)
  const options = help.visibleOptions(command)
  const names = subcommands.map((one) => one.name())
  const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices)
  const own: CommandWords = {
    path,
    words: [...names, ...choices, ...options.flatMap(flagsOf)],
    values: Object.fromEntries(options.filter(takesValue).flatMap((one) => valuesOf(one))),
  }
  const below = subcommands.flatMap((one) =>
    one.name() === 'help'
      ? { path: `${path} help`, words: names.filter((name) => name !== 'help'), values: {} }
      : readCommandWords(one, `${path} ${one.name()}`),
  )
  return [own, ...below]
}

const flagsOf = ({ short, long }: Option): readonly string[] =>
  [short, long].filter((flag) => flag !== undefined)

const takesValue = ({ required, optional }: Option): boolean => required || optional

function valuesOf(option: Option): readonly (readonly [string, OptionValue])[] {
  const { argChoices, flags } = option
  const value: OptionValue = argChoices
    ? { kind: 'choices', choices: argChoices }
    : { kind: /<file(\.\.\.)?>/.test(flags) ? 'file' : 'text' }
  return flagsOf(option).map((flag) => [flag, value])
}
