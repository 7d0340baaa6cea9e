// The board that shows the queues to people (bull-board), reduced to what only looks. What an operator does goes through the
// journal, never through jobs: they are made again from it.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { Queue as BullQueue } from 'bullmq'

/** One question of the page. */
export interface BoardCall {
  readonly route: string
  readonly answer: (request: BoardRequest) => Promise<{ readonly status: number; readonly body: unknown }>
}

/** What a question brings along. */
export interface BoardRequest {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, unknown>>
}

/** Everything a server of the board needs. */
export interface QueueBoard {
  /** The page, which is the same at each of its addresses. */
  readonly page: string
  readonly pageRoutes: readonly string[]
  readonly calls: readonly BoardCall[]
  /** Files of the page by their path, without a leading slash. */
  readonly files: ReadonlyMap<string, Buffer>
}

/** A queue that is shown by the name of its directory. */
export interface ShownQueue {
  readonly directory: string
  readonly queue: BullQueue
}

type Adapter = Parameters<typeof createBullBoard>[0]['serverAdapter']
type Routes = Parameters<Adapter['setApiRoutes']>[0]
type UiConfig = Parameters<Adapter['setUIConfig']>[0]

const TITLE = 'writeback: queues'
const ROOT = dirname(fileURLToPath(import.meta.resolve('@bull-board/ui/package.json')))
// What the page asks to show counts and jobs. The server's own figures and its clients are nobody's business here.
const SHOWN =
  /^\/api\/(queues|job-schedulers|queues\/:queueName\/(:jobId|:jobId\/logs|:jobId\/flow|rate-limit|job-data-schema))$/
const PAGES = ['/', '/queue/:queueName', '/queue/:queueName/:jobId']

/** Makes the board of these queues. */
export function createQueueBoard(queues: readonly ShownQueue[]): QueueBoard {
  const { adapter, told } = collect()
  createBullBoard({
    queues: queues.map(showOnly),
    serverAdapter: adapter,
    options: {
      uiBasePath: ROOT,
      uiConfig: {
        ...{ boardTitle: TITLE, hideRedisDetails: true, hideDocsLink: true },
        ...{ showWorkers: false, showMetrics: false },
      },
    },
  })
  const { routes = [], uiConfig = {}, bullQueues } = told
  const calls = routes.flatMap(({ method, route, handler }): readonly BoardCall[] => {
    const paths = [route].flat().filter((path) => SHOWN.test(path))
    if (method !== 'get') return []
    return paths.map((path) => ({
      route: path,
      answer: async ({ params, query }) => {
        const request = { queues: bullQueues, uiConfig, params, query, body: {}, headers: {} }
        const { status = 200, body } = await handler(request as never)
        return { status, body }
      },
    }))
  })
  return { page: writePage(uiConfig), pageRoutes: PAGES, calls, files: readFiles() }
}

function showOnly({ directory, queue }: ShownQueue): BullMQAdapter {
  const shown = new BullMQAdapter(queue, {
    ...{ readOnlyMode: true, allowRetries: false, displayName: directory },
    description: 'read only; operators use: writeback queue',
  })
  // A job holds nothing but its id today; whatever it may come to hold is not for a screen.
  for (const field of ['data', 'returnValue', 'progress'] as const) shown.setFormatter(field, () => ({}))
  return shown
}

interface Told {
  routes?: Routes
  uiConfig?: UiConfig
  bullQueues?: unknown
}

/** bull-board hands its parts to a server; they are kept instead. */
function collect(): { readonly adapter: Adapter; readonly told: Told } {
  const told: Told = {}
  const adapter: Adapter = {
    setQueues: (queues) => {
      told.bullQueues = queues
      return adapter
    },
    setApiRoutes: (routes) => {
      told.routes = routes
      return adapter
    },
    setUIConfig: (config) => {
      told.uiConfig = config
      return adapter
    },
    setViewsPath: () => adapter,
    setStaticPath: () => adapter,
    setEntryRoute: () => adapter,
    setErrorHandler: () => adapter,
  }
  return { adapter, told }
}

/** The package's page without its inline styles and without the fonts of a stranger's server. */
function writePage(uiConfig: UiConfig): string {
  const page = readFileSync(join(ROOT, 'dist', 'index.ejs'), 'utf8')
  const config = JSON.stringify(uiConfig).replace(/[<>&\u2028\u2029]/g, escaped)
  const values: Readonly<Record<string, string>> = {
    ...{ basePath: '/', title: TITLE, uiConfig: config },
    ...{ favIconDefault: 'static/images/logo.svg', favIconAlternative: 'static/favicon-32x32.png' },
  }
  return page
    .replace(/<link[^>]*https?:[^>]*>/g, '')
    .replace(/<div id="root">[\s\S]*?<\/style>\s*<\/div>/, '<div id="root"></div>')
    .replace(/<%[=-]\s*(\w+)\s*%>/g, (_, name: string) => values[name] ?? '')
}

const escaped = (letter: string): string => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`

function readFiles(): ReadonlyMap<string, Buffer> {
  const root = join(ROOT, 'dist')
  const names = readdirSync(join(root, 'static'), { recursive: true, withFileTypes: true })
  const paths = names.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
  return new Map(paths.map((path) => [relative(root, path), readFileSync(path)]))
}
