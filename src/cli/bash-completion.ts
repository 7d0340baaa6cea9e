// The completion script for bash: tables of words, and the few lines that look into them.
import type { CommandWords } from './command-words.ts'

const pattern = (texts: readonly string[]): string => texts.map((text) => `'${text}'`).join(' | ')

// A case without patterns is a syntax error.
const branch = (texts: readonly string[], then: string): readonly string[] =>
  texts.length === 0 ? [] : [`    ${pattern(texts)}) ${then} ;;`]

/** The script; `commands` begin with the program itself. */
export function writeBashCompletion(commands: readonly CommandWords[]): string {
  const name = commands[0]?.path ?? ''
  const values = commands.flatMap(({ path, values: all }) =>
    Object.entries(all).map(([flag, value]) => ({ key: `${path} ${flag}`, value })),
  )
  const files = values.filter(({ value }) => value.kind === 'file').map(({ key }) => key)
  const lines = [
    `# Completion of ${name} for bash; made by: ${name} completion bash`,
    `_${name}() {`,
    `  local path=${name} taking='' words='' word index current=\${COMP_WORDS[COMP_CWORD]}`,
    '  COMPREPLY=()',
    '  for ((index = 1; index < COMP_CWORD; index++)); do',
    `    word=\${COMP_WORDS[index]}`,
    '    if [[ -n $taking ]]; then',
    "      taking=''",
    '      continue',
    '    fi',
    '    case "$path $word" in',
    ...branch(
      commands.slice(1).map(({ path }) => path),
      'path="$path $word"',
    ).map((line) => `  ${line}`),
    ...branch(
      values.map(({ key }) => key),
      'taking="$path $word"',
    ).map((line) => `  ${line}`),
    '    esac',
    '  done',
    `  case "\${taking:-$path}" in`,
    ...branch(
      files,
      'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return',
    ),
    ...values.flatMap(({ key, value }) =>
      value.kind === 'choices' ? branch([key], `words='${value.choices.join(' ')}'`) : [],
    ),
    ...commands.flatMap(({ path, words }) => branch([path], `words='${words.join(' ')}'`)),
    '  esac',
    '  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")',
    '}',
    `complete -F _${name} ${name}`,
  ]
  return `${lines.join('\n')}\n`
}
