import type { Database } from 'better-sqlite3';

import * as runs from './0001-runs.ts';
import * as moves from './0002-moves.ts';
import * as bits from './0003-bits.ts';
import * as measured from './0004-measured.ts';

/** In order; the database's `user_version` says how many it has seen. A migration that was released is never changed. */
export const migrations: readonly { readonly sql: string }[] = [runs, moves, bits, measured];

/** The version that this Tamis writes. */
export const newestVersion = migrations.length;

/** Brings a database to the newest version, each step in a transaction of its own. */
export function migrate(database: Database): void {
  const version = Number(database.pragma('user_version', { simple: true }));
  migrations.forEach(({ sql }, index) => {
    if (index < version) return;
    database.transaction(() => {
      database.exec(sql);
      database.pragma(`user_version = ${index + 1}`);
    })();
  });
}
