import type { Notice } from '../../contract/bridge.ts';
import { openDatabase } from './database.ts';
import { salvage } from './salvage.ts';
import { Store } from './store.ts';

export interface OpenedStore {
  readonly store: Store;
  readonly notices: readonly Omit<Notice, 'id'>[];
  /** Folders of runs that a damaged database named: to be scanned beside the runs folder. */
  readonly others: readonly string[];
}

/**
 * Opens the database, or makes it anew where it is missing or damaged; `History.scan` fills it from the folders then.
 * Throws `history.newer`, `history.read-only`, `history.no-access`, `history.full` or `history.locked`: then nothing was changed.
 */
export function openStore(path: string): OpenedStore {
  const { database, origin } = openDatabase(path);
  const store = new Store(database);
  if (origin.kind === 'kept' || origin.aside === null) return { store, notices: [], others: [] };
  const { runs, models } = salvage(origin.aside);
  for (const model of models) addAgain(store, model);
  return {
    store,
    notices: [{ kind: 'warning', code: 'history.rebuilt', params: { path, aside: origin.aside } }],
    others: runs.map((run) => run.path),
  };
}

/** It is read as if it were new. Damage may have made two of one. */
function addAgain(store: Store, { id, path }: { id: string; path: string }): void {
  if (store.models().some((model) => model.id === id || model.path === path)) return;
  store.insertModel({ id, path, added_at: new Date().toISOString(), fingerprint: null, head: null, failure: null });
}
