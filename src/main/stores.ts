import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import type { Notice } from '../contract/bridge.ts';
import type { ModelHead } from '../contract/library.ts';
import { Grants } from './grants.ts';
import { History } from './history/history.ts';
import { openStore } from './history/open.ts';
import { Library } from './library/library.ts';
import type { Store } from './history/store.ts';
import type { Places } from './places.ts';
import { SettingsFile } from './settings.ts';
import { finishMove } from './storage/move.ts';

/** Everything that is kept: the only ways to it. */
export interface Stores {
  readonly settings: SettingsFile;
  readonly history: History;
  readonly library: Library;
  /** For what moves or removes the folders of runs. */
  readonly store: Store;
  readonly grants: Grants;
  /** What the person should know of how they were opened. */
  readonly notices: Notice[];
  /** Folders of runs that a damaged database named, to be listed again. */
  readonly others: readonly string[];
  close(): void;
}

export interface StoreOptions {
  readonly inspect: (path: string) => Promise<ModelHead>;
  readonly onLibraryChange: () => void;
}

/** Opens all that is kept. Throws `history.*` where the database can be neither used nor made anew. */
export async function openStores(places: Places, { inspect, onLibraryChange }: StoreOptions): Promise<Stores> {
  const settings = await SettingsFile.open(join(places.data, 'settings.json'));
  const { store, notices, others } = openStore(join(places.data, 'history.sqlite'));
  await finishMove(store, async (target) => {
    await settings.file.set({ runsFolder: target });
  });
  const history = new History(store);
  await history.recover();
  const library = new Library({ store, demo: places.demo.model, inspect, changed: onLibraryChange });
  library.open();
  const grants = new Grants();
  grants.allow([...Object.values(places.demo), ...library.list().map(({ path }) => path)]);
  return {
    settings: settings.file,
    history,
    library,
    store,
    grants,
    notices: [...settings.notices, ...notices].map((notice) => ({ id: randomUUID(), ...notice })),
    others,
    close: () => {
      library.close();
      store.close();
    },
  };
}
