// Every stable error code of the project, with what it means and what to do next. The manual's table and the
// command line's messages are made from this one.

/** What one error code means, and what the reader can do about it. */
export interface ErrorExplanation {
  readonly meaning: string
  readonly remedy: string
}

/** All error codes. A code never changes its meaning; new ones are added at the end of their group. */
export const ERRORS = {
  ERR_USAGE: {
    meaning: 'the command line is not understood',
    remedy: 'read the help of the command: add --help',
  },
  ERR_INTERNAL: { meaning: 'a defect in this program', remedy: 'report it with the log lines around it' },
  ERR_RUNTIME_UNSUPPORTED: {
    meaning: 'this Node.js version cannot run the program',
    remedy: 'use Node.js 24.15 or newer in line 24, or 26.3 or newer',
  },
  ERR_RUNTIME_UNSAFE: {
    meaning: 'a debugging option would make passwords readable',
    remedy: 'unset the option that the message names, or set the limit as it says',
  },
  ERR_CONFIG_UNREADABLE: {
    meaning: 'a file named by the configuration cannot be read',
    remedy: 'check the path and that the service may read it',
  },
  ERR_CONFIG_INVALID: { meaning: 'the configuration has faults', remedy: 'mend each fault that is printed' },
  ERR_CONFIG_HISTORY: {
    meaning: 'password history is required on a reset, and the domain controller cannot enforce it',
    remedy: 'name a domain controller that offers the policy hints control, or set history to preferred',
  },

  ERR_JSON_INVALID: {
    meaning:
      'a body is not strict JSON: bad syntax, a duplicate key, a lone surrogate, too deeply nested, or too large',
    remedy: 'mend the program that sent it',
  },
  ERR_DOCUMENT_INVALID: {
    meaning: 'a message does not have the form the contract gives it',
    remedy: 'compare both versions of the contract',
  },
  ERR_SIGNATURE_INVALID: {
    meaning: 'a signature does not verify with the key it names',
    remedy: 'check which keys both sides hold; enrol the agent again if the store was replaced',
  },
  ERR_SEALED_INVALID: {
    meaning: 'a sealed password cannot be opened or was sealed for another request',
    remedy: 'ask for a new reset; look at the sealing program if it happens again',
  },
  ERR_PASSWORD_UNREPRESENTABLE: {
    meaning: 'a password is empty, too long, or holds a NUL or a lone surrogate',
    remedy: 'choose another password',
  },

  ERR_LDAP_MALFORMED: {
    meaning: 'the directory sent bytes that are not an LDAP message',
    remedy: 'check that the address is an LDAPS port and that nothing in between changes the traffic',
  },
  ERR_DIRECTORY_UNREACHABLE: {
    meaning: 'no connection to the domain controller',
    remedy: 'check address, port, firewall and that the domain controller runs',
  },
  ERR_DIRECTORY_TLS: {
    meaning: 'the certificate of the domain controller is not accepted',
    remedy: 'give the right CA file, name or pin in the configuration',
  },
  ERR_DIRECTORY_TIMEOUT: {
    meaning: 'the domain controller did not answer in time',
    remedy: 'look at its load and at the network',
  },
  ERR_DIRECTORY_CLOSED: {
    meaning: 'the connection to the domain controller ended',
    remedy: 'nothing: the agent connects again; look at the domain controller if it repeats',
  },
  ERR_DIRECTORY_BIND_REFUSED: {
    meaning: 'the domain controller refused the service account',
    remedy: 'check the account: password, lockout, expiry',
  },
  ERR_DIRECTORY_BUSY: {
    meaning: 'the domain controller is busy or shutting down',
    remedy: 'nothing: the agent tries again',
  },
  ERR_DIRECTORY_UNSUITABLE: {
    meaning: 'the server is not a writable domain controller of the configured domain',
    remedy: 'name a writable domain controller, not a global catalog port or a read-only one',
  },
  ERR_DIRECTORY_REFUSED: {
    meaning: 'the directory refused an operation for a reason that is not about the password',
    remedy: 'see the diagnostic text of the directory',
  },
  ERR_DIRECTORY_UNDISCOVERED: {
    meaning: 'DNS names no domain controller that may be used, and none is known from before',
    remedy:
      'check the SRV records of the domain, and that this host reaches its DNS servers: docs/discovery.md',
  },

  ERR_STORE_UNREACHABLE: {
    meaning: 'no connection to the reset store',
    remedy: 'check address, proxy, firewall and that the store runs',
  },
  ERR_STORE_TLS: {
    meaning: 'the certificate of the reset store is not accepted',
    remedy: 'give the right CA file in the configuration',
  },
  ERR_STORE_TIMEOUT: {
    meaning: 'the reset store did not answer in time',
    remedy: 'look at its load and the network',
  },
  ERR_STORE_UNAVAILABLE: {
    meaning: 'the reset store cannot serve at the moment',
    remedy: 'nothing: the agent tries again; look at the store if it lasts',
  },
  ERR_STORE_REJECTED: {
    meaning: 'the reset store refused a call for good',
    remedy: 'see the problem code in the message',
  },
  ERR_STORE_ANSWER_INVALID: {
    meaning: 'the answer of the reset store does not have the form the contract gives it',
    remedy: 'check that nothing in between changes the traffic; compare both versions of the contract',
  },
  ERR_ENROLMENT_REFUSED: {
    meaning: 'the reset store did not accept the enrolment',
    remedy: 'make a new enrolment code; a code serves once and for a short time',
  },
  ERR_ENROLMENT_MISSING: {
    meaning: 'this agent is not enrolled',
    remedy: 'run: writeback enroll',
  },

  ERR_KEYS_UNUSABLE: {
    meaning: 'the key file is missing, damaged, or readable by others',
    remedy: 'restore the file with mode 0600, or enrol again with a new state directory',
  },
  ERR_KEYS_PASSPHRASE: {
    meaning: 'the passphrase does not open the key file',
    remedy: 'give the passphrase file that was used at enrolment',
  },
  ERR_JOURNAL_UNUSABLE: {
    meaning: 'the journal cannot be opened or written',
    remedy: 'check the state directory: rights, disk space, and that no other agent uses it',
  },
  ERR_JOURNAL_IN_USE: {
    meaning: 'another agent process uses this state directory',
    remedy: 'stop the other process, or give this one its own state directory',
  },
  ERR_AUDIT_UNREADABLE: {
    meaning: 'the audit record cannot be read',
    remedy: 'check the state directory, and run the command as root or as the agent’s own user',
  },
  ERR_REDIS_START: {
    meaning: 'the private Redis does not start',
    remedy: 'install redis-server 6.2 or newer; read its last lines in the message',
  },
  ERR_REDIS_UNREACHABLE: {
    meaning: 'no connection to Redis',
    remedy: 'check that Redis runs at the configured URL',
  },
  ERR_REDIS_UNSUITABLE: {
    meaning: 'this Redis cannot hold the queue safely',
    remedy: 'see the setting that the message names',
  },
  ERR_QUEUE_STUCK: {
    meaning: 'a queue takes no jobs though Redis answers, and another worker did not help',
    remedy:
      'start the agent again, as a service manager does by itself; if it repeats, look at what stands between agent and Redis',
  },
  ERR_REQUEST_NOT_OPEN: {
    meaning: 'this agent has no open request with this id',
    remedy:
      'list the open ones: writeback queue list; how one ended tells writeback queue show, or the reset store',
  },
  ERR_REQUEST_IN_DOUBT: {
    meaning: 'a write of this request may have been sent, so it has to be settled and cannot be dropped',
    remedy:
      'wait until the agent has settled it; a domain controller that is gone for good is declared so: writeback store server gone',
  },
  ERR_REQUEST_NOT_HELD: {
    meaning: 'this agent does not hold the request’s lease now, so another agent may be carrying it out',
    remedy:
      'drop it again when this agent reaches the reset store; what became of it tells writeback store request show',
  },
  ERR_REQUEST_UNDER_WAY: {
    meaning: 'the request is being carried out at this moment',
    remedy: 'look again in some seconds: writeback queue show',
  },

  ERR_DATABASE_UNUSABLE: {
    meaning: 'the database of the reset store cannot be opened or written',
    remedy: 'check the data directory: rights, disk space, and the version that wrote it',
  },
  ERR_AGENT_UNREACHABLE: {
    meaning: 'no answer from a running agent on its operators’ socket',
    remedy: 'check that the agent runs on this host, and that you may use its socket: root or its own user',
  },
  ERR_SERVICE_UNSUPPORTED: {
    meaning: 'there is no service manager here that the command knows',
    remedy: 'run writeback agent under your own service manager; packages for Windows follow',
  },
  ERR_SERVICE_RIGHTS: {
    meaning: 'the command changes the services of this machine, and is not run as root',
    remedy: 'run it with sudo, or with --dry-run to see what it would do',
  },
  ERR_SERVICE_UNREADABLE: {
    meaning: 'the service could not read a file that it needs',
    remedy: 'move or mend each file that the message names',
  },
  ERR_SERVICE_FAILED: {
    meaning: 'a tool of the system failed while the service was changed or asked for',
    remedy: 'read what the tool said; then run the same command again, it goes on where it ended',
  },
  ERR_LISTEN: { meaning: 'the address cannot be listened on', remedy: 'choose a free address and port' },
} as const satisfies Record<string, ErrorExplanation>

/** One of the stable codes. */
export type ErrorCode = keyof typeof ERRORS
