// The table of crash points as it is printed.
import { ABSENT_POINTS, CRASH_POINTS } from '../test-build/crash-points.ts'
import { ROTATION_POINTS } from '../test-build/rotation-points.ts'

/** Prints every point: where it is, or why it is not there. */
export function listPoints(): void {
  const lines = [
    ...[...CRASH_POINTS, ...ROTATION_POINTS].map(({ id, what, before, after, operations, first }) => ({
      number: Number(id.slice(1)),
      text: [
        `${id}: ${what} (${filesOf([before.file, after.file])})`,
        ...(operations === undefined ? [] : [`only ${operations.join(' and ')}: an unlock has no password`]),
        ...(first === undefined ? [] : [`after a first crash at ${first}`]),
      ].join('; '),
    })),
    ...ABSENT_POINTS.map(({ id, what, reason }) => ({
      number: Number(id.slice(1)),
      text: `${id}: n/a: ${what}: ${reason}`,
    })),
  ]
  for (const { text } of lines.toSorted((one, other) => one.number - other.number)) console.log(text)
  console.log(
    `${CRASH_POINTS.length} points run, each in the three operations, before and after; ${ROTATION_POINTS.length} by the test of the rotation; ${ABSENT_POINTS.length} are not there`,
  )
}

const filesOf = (files: readonly string[]): string =>
  [...new Set(files.map((file) => file.replace('src/agent/', '')))].join(', ')
