import SQLite, { type Database } from 'better-sqlite3';

interface Named {
  readonly id: string;
  readonly path: string;
}

/** Runs and models that a damaged database names, as far as they can be read: an aid to rebuilding, not to be relied on. */
export function salvage(aside: string): { runs: Named[]; models: Named[] } {
  let database: Database | null = null;
  try {
    database = new SQLite(aside, { readonly: true });
    return { runs: named(database, 'runs'), models: named(database, 'models') };
  } catch (error) {
    if (error instanceof SQLite.SqliteError) return { runs: [], models: [] };
    throw error;
  } finally {
    database?.close();
  }
}

function named(database: Database, table: 'runs' | 'models'): Named[] {
  const found: Named[] = [];
  try {
    for (const one of database.prepare<[], Named>(`SELECT id, path FROM ${table}`).iterate()) found.push(one);
  } catch (error) {
    // What was read before the damage is worth keeping.
    if (!(error instanceof SQLite.SqliteError)) throw error;
  }
  return found;
}
