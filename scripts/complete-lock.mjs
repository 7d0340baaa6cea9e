// Completes package-lock.json after `npm install`: names the optional packages of other platforms that the install left
// out. `npm ci` refuses a lock that lacks them. Run it after every change of a dependency.
import fs from 'node:fs'

const LOCK = 'package-lock.json'
const SYSTEMS = {
  win32: 'win32',
  darwin: 'darwin',
  android: 'android',
  freebsd: 'freebsd',
  openharmony: 'openharmony',
  netbsd: 'netbsd',
  openbsd: 'openbsd',
  sunos: 'sunos',
  aix: 'aix',
}
const PROCESSORS = [
  ['arm64', /arm64|aarch64/],
  ['x64', /x64|x86_64/],
  ['ia32', /ia32/],
  ['riscv64', /riscv64/],
  ['ppc64', /ppc64/],
  ['s390x', /s390x/],
  ['loong64', /loong64/],
  ['wasm32', /wasm32/],
]

const systemOf = (name) => Object.values(SYSTEMS).find((system) => name.includes(system)) ?? 'linux'
const processorOf = (name) => PROCESSORS.find(([, pattern]) => pattern.test(name))?.[0] ?? 'arm'

/** True when a package installed at `from` would find `name` in its own or a parent node_modules. */
function isFound(packages, from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (packages[`${at ? `${at}/` : ''}node_modules/${name}`]) return true
    if (!at) return false
  }
}

const lock = JSON.parse(fs.readFileSync(LOCK, 'utf8'))
let added = 0
for (const [at, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isFound(lock.packages, at, name)) continue
    lock.packages[`node_modules/${name}`] = {
      version: range.replace(/^[~^]/, ''),
      cpu: [processorOf(name)],
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
      os: [systemOf(name)],
    }
    added += 1
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
fs.writeFileSync(LOCK, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added} entries added`)
