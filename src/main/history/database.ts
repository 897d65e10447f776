import { closeSync, existsSync, openSync, readSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';

import SQLite, { type Database } from 'better-sqlite3';

import { TamisError } from '../../contract/errors.ts';
import { fileError, isSystemError } from '../../disk/file-errors.ts';
import { makeFolder } from '../../disk/files.ts';
import { timeInName } from '../time-in-name.ts';
import { guarded } from './errors.ts';
import { migrate, newestVersion } from './migrations/index.ts';

/** How long to wait for another program that is writing, ms. The window stands still meanwhile. */
const BUSY_MS = 1000;

export interface OpenedDatabase {
  readonly database: Database;
  /** `new`: there was none, or it was damaged and lies at `aside` now. */
  readonly origin: { readonly kind: 'kept' } | { readonly kind: 'new'; readonly aside: string | null };
}

/**
 * Opens the database, of the newest version. One that is missing is made; one that is damaged is moved aside and made
 * anew. Refuses one from a newer Tamis, without touching it, and one that cannot be written.
 */
export function openDatabase(path: string): OpenedDatabase {
  makeFolder(dirname(path));
  if (!existsSync(path)) return { database: openChecked(path), origin: { kind: 'new', aside: null } };
  assertVersion(path, versionInFile(path));
  try {
    return { database: openChecked(path), origin: { kind: 'kept' } };
  } catch (error) {
    if (!(error instanceof TamisError) || error.code !== 'history.damaged') throw error;
  }
  const aside = moveAside(path);
  return { database: openChecked(path), origin: { kind: 'new', aside } };
}

function openChecked(path: string): Database {
  return guarded(path, () => {
    const database = new SQLite(path, { timeout: BUSY_MS });
    try {
      check(database, path);
      migrate(database);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

function check(database: Database, path: string): void {
  database.pragma('journal_mode = WAL');
  // The default of WAL may lose the last transactions when the power fails.
  database.pragma('synchronous = FULL');
  database.pragma('foreign_keys = ON');
  const version = Number(database.pragma('user_version', { simple: true }));
  assertVersion(path, version);
  // Refused at once where nothing could be written.
  database.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${version}; ROLLBACK`);
  if (database.pragma('integrity_check(1)', { simple: true }) !== 'ok')
    throw new TamisError('history.damaged', { path });
}

function assertVersion(path: string, version: number): void {
  if (version > newestVersion) throw new TamisError('history.newer', { path, version, known: newestVersion });
}

/** `user_version` as the file's header has it: opening a database may already write to it. */
function versionInFile(path: string): number {
  const header = Buffer.alloc(100);
  try {
    const file = openSync(path, 'r');
    try {
      readSync(file, header, 0, header.length, 0);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw isSystemError(error) ? new TamisError('history.no-access', { path }) : error;
  }
  return header.toString('latin1', 0, 16) === 'SQLite format 3\0' ? header.readInt32BE(60) : 0;
}

function moveAside(path: string): string {
  const aside = join(dirname(path), `history.damaged-${timeInName(new Date())}.sqlite`);
  try {
    for (const end of ['-wal', '-shm', '']) if (existsSync(path + end)) renameSync(path + end, aside + end);
  } catch (error) {
    throw fileError(error, path);
  }
  return aside;
}
