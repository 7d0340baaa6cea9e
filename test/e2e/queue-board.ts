// A real Chromium that looks at the queue board, and what it complained about.
import { type Browser, chromium, type Page } from 'playwright-core'

/** A browser with one page. */
export interface Looker {
  readonly page: Page
  /** What the page was refused, or could not find. */
  readonly complaints: readonly string[]
  /** Every address that it asked. */
  readonly asked: readonly string[]
  readonly close: () => Promise<void>
}

/** Starts Debian's Chromium. The caller closes it; it ends with this process in any case. */
export async function openLooker(): Promise<Looker> {
  const browser: Browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    chromiumSandbox: process.getuid?.() !== 0,
    args: ['--disable-dev-shm-usage', '--disable-gpu', '--no-proxy-server'],
  })
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  const complaints: string[] = []
  const asked: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => void complaints.push(String(error)))
  page.on('request', (request) => void asked.push(`${request.method()} ${request.url()}`))
  return { page, complaints, asked, close: () => browser.close() }
}
