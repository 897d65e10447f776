import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import type { Notice } from '../contract/bridge.ts';
import type { Reply } from '../contract/engine.ts';
import type { Download } from '../contract/hub.ts';
import type { ModelHead } from '../contract/library.ts';
import { Grants } from './grants.ts';
import { HubToken } from './hub-token.ts';
import { systemKeyring } from './keyring.ts';
import { Downloads, type DownloadsContext } from './library/downloads.ts';
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
  readonly downloads: Downloads;
  readonly hubToken: HubToken;
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
  /** How models are fetched, and who is told of it. */
  readonly downloading: Pick<DownloadsContext, 'pull' | 'discard' | 'changed' | 'progressed'> & {
    readonly finished: (download: Download, result: Reply<'pull'>) => void;
  };
}

/** Opens all that is kept. Throws `history.*` where the database can be neither used nor made anew. */
export async function openStores(
  places: Places,
  { inspect, onLibraryChange, downloading }: StoreOptions,
): Promise<Stores> {
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
  const hubToken = await HubToken.open(join(places.data, 'hub-token.json'), systemKeyring);
  const downloads = await Downloads.open({
    ...downloading,
    path: join(places.data, 'downloads.json'),
    tokenFor: (endpoint) => hubToken.tokenFor(new URL(endpoint)),
    finished: async (download, result) => {
      grants.allow([download.folder]);
      await library.add([download.folder]);
      downloading.finished(download, result);
    },
  });
  return {
    settings: settings.file,
    history,
    library,
    downloads,
    hubToken,
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
