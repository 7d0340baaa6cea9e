// The faults this project must survive, each with a name. A test says at the end of its title which ones it plays; the
// run fails when a fault has no test, and when a test names a fault that is not here.

/** The groups, in the order in which they are told. */
export const FAULT_GROUPS = ['process', 'link', 'semantics', 'store', 'queue', 'host', 'trust'] as const

/** Where a fault happens: in the process, on the way to the directory, in its answers, and so on. */
export type FaultGroup = (typeof FAULT_GROUPS)[number]

/** One fault. */
export interface Fault {
  readonly group: FaultGroup
  /** One sentence: what happens. */
  readonly what: string
  /** Why this version has nothing that the fault could hit. It then needs no test, and may have none. */
  readonly notHere?: string
}

/** Every fault by its name. */
export const FAULTS = {
  kill_at_each_crash_point: {
    group: 'process',
    what: 'The agent is killed at each point of the way of a request.',
  },
  stopped_past_its_lease: {
    group: 'process',
    what: 'The agent stands still for longer than its lease while another one goes on, and then wakes up.',
  },
  sigterm_mid_write: { group: 'process', what: 'The agent is told to end while a write is on its way.' },
  second_sigterm: { group: 'process', what: 'It is told a second time, before it has finished.' },
  out_of_memory: {
    group: 'process',
    what: 'The agent dies of a lack of memory while a write is on its way.',
  },
  unhandled_rejection: {
    group: 'process',
    what: 'A promise that nobody waits for is rejected in the agent.',
  },
  event_loop_blocked: {
    group: 'process',
    what: 'Nothing in the agent runs while the answer to a write comes.',
  },
  double_start: { group: 'process', what: 'The agent is started twice with one state directory.' },

  connection_refused: { group: 'link', what: 'The port of the domain controller is closed.' },
  syn_blackhole: { group: 'link', what: 'Nothing at all answers a new connection.' },
  reset_before_request: { group: 'link', what: 'The connection is reset before a write is passed on.' },
  reset_during_request: { group: 'link', what: 'The connection is reset while the write is carried out.' },
  reset_after_request: { group: 'link', what: 'The connection is reset once the write was answered.' },
  answer_swallowed: { group: 'link', what: 'A write is done and its answer never comes.' },
  answer_late: { group: 'link', what: 'The answer comes after the agent gave up.' },
  request_late: { group: 'link', what: 'The write itself arrives long after the agent gave up.' },
  half_open: {
    group: 'link',
    what: 'Something in between forgets an open connection, and tells neither side.',
  },
  single_bytes: { group: 'link', what: 'Everything travels in single bytes.' },
  one_kilobyte_a_second: { group: 'link', what: 'The way carries 1 KB a second.' },
  certificate_expired: { group: 'link', what: 'The certificate of the domain controller has ended.' },
  certificate_swapped: { group: 'link', what: 'After a reconnect there is the certificate of a stranger.' },
  controller_restarts: { group: 'link', what: 'The domain controller goes away and comes back.' },
  controller_read_only: {
    group: 'link',
    what: 'The domain controller takes no writes and refers to another.',
  },
  disconnect_notice: { group: 'link', what: 'The domain controller says that it is closing the connection.' },
  idle_connection_closed: {
    group: 'link',
    what: 'An idle connection is closed, and the next operation must not go out unbound.',
  },

  busy: { group: 'semantics', what: 'The directory is busy (51).' },
  unavailable: { group: 'semantics', what: 'The directory is shutting down (52).' },
  unwilling: { group: 'semantics', what: 'The directory is unwilling (53) and gives no reason.' },
  time_limit: { group: 'semantics', what: 'The directory took too long by its own limit (3).' },
  refused_too_short: { group: 'semantics', what: 'The directory finds the password too short.' },
  refused_not_complex: { group: 'semantics', what: 'The directory finds the password not complex enough.' },
  refused_contains_name: {
    group: 'semantics',
    what: 'The directory finds the account’s name in the password.',
    notHere: 'Samba, the directory of the tests, takes such passwords; the agent’s own rule has its tests',
  },
  refused_in_history: { group: 'semantics', what: 'The directory has the password in its history.' },
  refused_too_young: { group: 'semantics', what: 'The directory finds the current password too young.' },
  refused_unexplained: {
    group: 'semantics',
    what: 'The directory refuses a password for no rule that is known.',
  },
  entry_moved: { group: 'semantics', what: 'The entry is moved between read and write.' },
  entry_renamed: { group: 'semantics', what: 'The entry is renamed between read and write.' },
  entry_deleted: { group: 'semantics', what: 'The entry is deleted between read and write.' },
  entry_recreated: {
    group: 'semantics',
    what: 'The entry is deleted between read and write, and another one has its name.',
  },
  locked_after_guard: { group: 'semantics', what: 'The account locks between read and write.' },
  replication_lag: { group: 'semantics', what: 'A second domain controller hears of a write late.' },
  forward_to_pdc_dropped: {
    group: 'semantics',
    what: 'A domain controller cannot ask the PDC emulator about a password.',
    notHere: 'all writes go to one controller and the agent never signs in as a user, so none asks another',
  },
  service_account_locked: { group: 'semantics', what: 'The service account is locked.' },
  service_account_expired: { group: 'semantics', what: 'The service account has expired.' },
  service_password_changed: { group: 'semantics', what: 'The service account gets another password.' },
  policy_hints_missing: {
    group: 'semantics',
    what: 'The domain controller cannot check history on a reset.',
  },
  marker_not_writable: { group: 'semantics', what: 'The service account may not write the marker.' },

  store_401: { group: 'store', what: 'The store does not know the agent (401).' },
  store_403: { group: 'store', what: 'The store forbids the call (403).' },
  store_404: { group: 'store', what: 'The store has no such call (404).' },
  store_409: { group: 'store', what: 'The store sees a conflict (409).' },
  store_410: { group: 'store', what: 'The store says that it is gone (410).' },
  store_413: { group: 'store', what: 'The store finds the call too large (413).' },
  store_429: { group: 'store', what: 'The store wants fewer calls (429).' },
  store_500: { group: 'store', what: 'The store fails (500).' },
  store_503: { group: 'store', what: 'The store is overloaded (503).' },
  slow_body: { group: 'store', what: 'The body of an answer drips.' },
  truncated_json: { group: 'store', what: 'The JSON of an answer ends too early.' },
  duplicate_delivery: { group: 'store', what: 'The same request is handed out again.' },
  reordered_delivery: { group: 'store', what: 'Requests arrive in another order than they were made.' },
  older_after_newer: { group: 'store', what: 'An old request arrives after a newer one was applied.' },
  lease_lost: { group: 'store', what: 'The lease of a request goes to somebody else.' },
  outcome_answer_lost: { group: 'store', what: 'The store takes an outcome and its answer is lost.' },
  dns_failure: { group: 'store', what: 'The name of the store cannot be resolved.' },
  proxy_407: { group: 'store', what: 'The proxy wants credentials (407).' },
  store_key_rotated: {
    group: 'store',
    what: 'The store signs with a new key.',
    notHere:
      'a store of this version keeps its signing key; one with another key is a stranger (unknown_key)',
  },

  redis_down_at_start: { group: 'queue', what: 'There is no Redis when the queue starts.' },
  redis_down_mid_flight: { group: 'queue', what: 'Redis dies while requests are worked on.' },
  stale_replica_promoted: {
    group: 'queue',
    what: 'A replica that is behind takes the place of its primary.',
  },
  flushall: { group: 'queue', what: 'Redis is wiped.' },
  redis_backup_restored: { group: 'queue', what: 'Redis is put back to what it was some time ago.' },
  redis_out_of_memory: { group: 'queue', what: 'Redis takes no commands for lack of memory (OOM).' },
  redis_misconf: { group: 'queue', what: 'Redis cannot save and stops all writes (MISCONF).' },
  redis_noscript: { group: 'queue', what: 'Redis has forgotten the scripts of the queue (NOSCRIPT).' },
  redis_read_only: { group: 'queue', what: 'Redis has become a replica (READONLY).' },
  aof_tail_cut: { group: 'queue', what: 'The end of the append-only file is cut.' },

  disk_full_journal: { group: 'host', what: 'The disk of the journal is full.' },
  disk_full_audit: { group: 'host', what: 'The disk of the audit record is full.' },
  disk_full_log: { group: 'host', what: 'The disk of the log is full.' },
  no_file_descriptors: { group: 'host', what: 'The agent can open nothing more.' },
  clock_hour_ahead: { group: 'host', what: 'The clock of the host is an hour ahead.' },
  clock_hour_behind: { group: 'host', what: 'The clock of the host is an hour behind.' },
  clock_jumps_mid_write: { group: 'host', what: 'The clock of the host jumps while a write is on its way.' },
  leap_second: { group: 'host', what: 'A second is repeated.' },
  time_not_synchronised: {
    group: 'host',
    what: 'The time service of the host says that it is not synchronised.',
    notHere:
      'the agent compares its clock with store and directory and asks no time service (clock_hour_ahead)',
  },
  swap_on: {
    group: 'host',
    what: 'The host can write memory to a swap device.',
    notHere: 'neither the agent nor its packaging looks at swap; operators are told to encrypt or forbid it',
  },
  tmp_read_only: { group: 'host', what: 'The temporary directory cannot be written.' },
  key_file_readable: { group: 'host', what: 'The key file becomes readable by others.' },

  expired_while_queued: { group: 'trust', what: 'A request expires while it waits.' },
  issued_in_the_future: {
    group: 'trust',
    what: 'A request says that it was issued in the future.',
  },
  unknown_key: { group: 'trust', what: 'A document is signed with a key that the agent does not know.' },
  agent_key_rotated: {
    group: 'trust',
    what: 'The agent gets a new sealing key while requests wait.',
  },
  agent_certificate_expires: {
    group: 'trust',
    what: 'The certificate of the agent ends tonight.',
  },
  agent_revoked: { group: 'trust', what: 'The agent is revoked while it works.' },
  dns_lies: {
    group: 'trust',
    what: 'DNS names others as the domain controllers, or none of them any more.',
  },
} as const satisfies Readonly<Record<string, Fault>>

/** The name of a fault. */
export type FaultId = keyof typeof FAULTS
