// A process that uses the journal and dies without warning. argv: directory, what to do.
import { createJournal } from '../../../src/agent/journal/create-journal.ts'
import { documentOf, intentOf } from './samples.ts'

const [directory = '', task = ''] = process.argv.slice(2)
const die = () => process.kill(process.pid, 'SIGKILL')

const steps: Record<string, () => void> = {
  accept: () => void journal.accept([documentOf('a', 1), documentOf('b', 2)]),
  receipt: () => void journal.receipt([{ requestId: 'a', lease: 1, server: 'dc1' }]),
  started: () => void journal.started('a'),
  intent: () => journal.intent(intentOf('a', journal.nextAttempt('a'))),
  answer: () => journal.answer('a', 1, 'accepted'),
  outcome: () => void journal.outcome({ requestId: 'a', outcome: 'applied', bytes: 'signed a', atMs: 5 }),
  delivered: () => journal.delivered([{ requestId: 'a', answer: 'accepted' }], 6),
  set: () => journal.set('highest', '42'),
}

const journal = createJournal(directory)
if (task === 'hold') {
  console.log('open')
  setInterval(() => {}, 1000)
} else if (task === 'fill') {
  fill(journal.counts().open / 20)
} else if (task === 'full') {
  fillTheDisk()
} else {
  steps[task]?.()
  die()
}

function fill(from: number): void {
  console.log('open')
  for (let batch = from; ; batch++)
    journal.accept(Array.from({ length: 20 }, (_, at) => documentOf(`${batch}-${at}`, batch)))
}

function fillTheDisk(): void {
  let taken = 0
  try {
    for (; taken < 10_000; taken++) journal.accept([documentOf(`d${taken}`, taken)])
  } catch (error) {
    const { code, retry } = error as { code: string; retry: string }
    console.log(JSON.stringify({ code, retry, taken, known: journal.counts().open }))
  }
}
