// Loaded into an agent before its program: the directory's name leads to the address that the environment gives. Agents know an
// OpenLDAP server by the name they reach it by, and each agent of a world has a proxy of its own.
import dns from 'node:dns'

const { TEST_DIRECTORY_ADDRESS: address = '' } = process.env
const lookup = dns.lookup as unknown as (...args: unknown[]) => void

Object.assign(dns, {
  lookup: (host: string, ...rest: unknown[]) => lookup(host === 'dc1.corp.test' ? address : host, ...rest),
})
