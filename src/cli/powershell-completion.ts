// The completion script for PowerShell, 5.1 and newer: tables of words, and the few lines that look into them.
import type { CommandWords } from './command-words.ts'

const list = (words: readonly string[]): string => `@(${words.map((word) => `'${word}'`).join(', ')})`

/** The script; `commands` begin with the program itself. */
export function writePowerShellCompletion(commands: readonly CommandWords[]): string {
  const name = commands[0]?.path ?? ''
  const words = commands.map((one) => `    '${one.path}' = ${list(one.words)}`)
  // Where nothing is offered PowerShell offers the names of files.
  const values = commands.flatMap(({ path, values: all }) =>
    Object.entries(all).map(
      ([flag, value]) => `    '${path} ${flag}' = ${list(value.kind === 'choices' ? value.choices : [])}`,
    ),
  )
  const lines = [
    `# Completion of ${name} for PowerShell; made by: ${name} completion powershell`,
    `Register-ArgumentCompleter -Native -CommandName ${name} -ScriptBlock {`,
    '  param($wordToComplete, $commandAst, $cursorPosition)',
    '  $words = @{',
    ...words,
    '  }',
    '  $values = @{',
    ...values,
    '  }',
    `  $path = '${name}'`,
    "  $taking = ''",
    '  foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {',
    '    if ($element.Extent.EndOffset -ge $cursorPosition) { break }',
    '    $next = "$path $($element.Extent.Text)"',
    "    if ($taking -ne '') { $taking = '' }",
    '    elseif ($values.ContainsKey($next)) { $taking = $next }',
    '    elseif ($words.ContainsKey($next)) { $path = $next }',
    '  }',
    "  $offered = if ($taking -ne '') { $values[$taking] } else { $words[$path] }",
    '  $offered | Where-Object { $_.StartsWith($wordToComplete, [StringComparison]::Ordinal) } | ForEach-Object {',
    "    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)",
    '  }',
    '}',
  ]
  return `${lines.join('\n')}\n`
}
