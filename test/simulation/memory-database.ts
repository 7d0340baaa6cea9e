// SQLite in memory for run after run: the tables are made once, a statement is prepared once for all processes that use the
// database, and a row becomes an object here instead of name by name in the binding. What it answers is SQLite's own.
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'

type Row = Record<string, SQLOutputValue>
type RawStatement = Pick<StatementSync, 'get' | 'all'>

/** A database that `giveBack` returns empty to the next run. */
export interface MemoryDatabase {
  readonly database: DatabaseSync
  readonly giveBack: () => void
}

/** Lends databases with the tables that `migrate` makes. */
export function createDatabasePool(migrate: (database: DatabaseSync) => void): () => MemoryDatabase {
  const idle: DatabaseSync[] = []
  return () => {
    const database = idle.pop() ?? open(migrate)
    return {
      database,
      giveBack: () => {
        empty(database)
        idle.push(database)
      },
    }
  }
}

function open(migrate: (database: DatabaseSync) => void): DatabaseSync {
  const database = new QuickDatabase(':memory:', { enableForeignKeyConstraints: true })
  migrate(database)
  return database
}

/** Deletes every row, and what SQLite remembers of them. */
function empty(database: DatabaseSync): void {
  if (database.isTransaction) database.exec('ROLLBACK')
  const tables = database.prepare(
    `SELECT name FROM sqlite_schema WHERE type = 'table' AND (name = 'sqlite_sequence' OR name NOT LIKE 'sqlite_%')`,
  )
  database.exec('BEGIN')
  database.exec('PRAGMA defer_foreign_keys = ON')
  for (const { name } of tables.all()) database.prepare(`DELETE FROM ${name}`).run()
  database.exec('COMMIT')
}

const TRANSACTION_STEP = /^(?:BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b[\w ]*$/

class QuickDatabase extends DatabaseSync {
  readonly #prepared = new Map<string, StatementSync>()

  override prepare(sql: string): StatementSync {
    const known = this.#prepared.get(sql)
    if (known) return known
    const statement = super.prepare(sql)
    Object.assign(statement, withQuickRows(statement))
    this.#prepared.set(sql, statement)
    return statement
  }

  override exec(sql: string): void {
    // Memory waits for no disk.
    if (sql.startsWith('PRAGMA synchronous')) return
    if (TRANSACTION_STEP.test(sql)) this.prepare(sql).run()
    else super.exec(sql)
  }
}

/** `get` and `all` that build the rows themselves. */
function withQuickRows(statement: StatementSync): RawStatement {
  const get = statement.get.bind(statement)
  const all = statement.all.bind(statement)
  let build: ((values: readonly SQLOutputValue[]) => Row) | undefined
  const prepare = () => {
    statement.setReturnArrays(true)
    build = rowBuilder(statement.columns().map(({ name }) => name))
    return build
  }
  const toRow = (values: unknown) => (build ?? prepare())(values as SQLOutputValue[])
  return {
    get: (...values: SQLInputValue[]) => {
      if (!build) prepare()
      const found = get(...values)
      return found === undefined ? undefined : toRow(found)
    },
    all: (...values: SQLInputValue[]) => {
      if (!build) prepare()
      return all(...values).map(toRow)
    },
  } as RawStatement
}

/** Makes the function that gives the values of a row their names; written as source, so that all rows have one shape. */
function rowBuilder(names: readonly string[]): (values: readonly SQLOutputValue[]) => Row {
  const fields = names.map((name, at) => `${JSON.stringify(name)}: values[${at}]`)
  return new Function('values', `return { ${fields.join(', ')} }`) as never
}
