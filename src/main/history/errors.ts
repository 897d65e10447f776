import SQLite from 'better-sqlite3';

import { TamisError } from '../../contract/errors.ts';

/** What SQLite refused, as a sentence's code; anything else is passed through. */
export function databaseError(error: unknown, path: string): unknown {
  if (!(error instanceof SQLite.SqliteError)) return error;
  const { code } = error;
  if (code === 'SQLITE_FULL') return new TamisError('history.full', { path });
  if (code.startsWith('SQLITE_READONLY')) return new TamisError('history.read-only', { path });
  if (code.startsWith('SQLITE_CANTOPEN') || code === 'SQLITE_PERM')
    return new TamisError('history.no-access', { path });
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
    return new TamisError('history.locked', { path });
  if (isDamage(error)) return new TamisError('history.damaged', { path });
  return new TamisError('history.failed', { path, reason: `${code}: ${error.message}` });
}

/** Whether the file is no database or its content contradicts itself. */
export function isDamage(error: unknown): boolean {
  return error instanceof SQLite.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code);
}

/** Runs what speaks to the database; what it refuses is thrown as a TamisError. */
export function guarded<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw databaseError(error, path);
  }
}
