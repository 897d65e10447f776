import { rm } from 'node:fs/promises';

import { shell } from 'electron';

import type { Input } from '../../contract/bridge.ts';
import type { StorageKind } from '../../contract/storage.ts';
import { parseEndpoint } from '../../contract/hub.ts';
import type { Settings } from '../../contract/settings.ts';
import type { Host } from '../host.ts';
import { choosePaths } from '../dialogs.ts';
import { askAlone } from '../engine/service.ts';
import type { HandlersOf } from '../ipc.ts';
import { moveRuns } from '../storage/move.ts';
import { listStorage } from '../storage/sizes.ts';

export function settingsHandlers(host: Host): HandlersOf<'settings.' | 'devices.' | 'storage.'> {
  const { stores, launch, places } = host;
  const folders = (): Record<StorageKind, string> => ({
    runs: host.runsFolder,
    models: host.modelsFolder,
    database: places.data,
    cache: places.cache,
    logs: places.logs,
  });
  let fetching: AbortController | null = null;
  return {
    'settings.set': async (changes) => {
      if (typeof changes.hubEndpoint === 'string') parseEndpoint(changes.hubEndpoint);
      const settings = await stores.settings.set(set(changes));
      host.applySettings();
      host.tell('settings.changed', settings);
      return settings;
    },
    // A driver may crash: in a process of its own that costs a line in the log.
    'devices.gpus': async () => await askAlone(launch, 'gpus', null),
    'devices.list': async () => await askAlone(launch, 'devices', { threads: stores.settings.value.threads ?? 0 }),
    // In a process of its own too: which onnxruntime it loads changes with a fetch.
    'devices.cuda': async () => await askAlone(launch, 'cuda', { folder: places.onnxruntime }),
    'devices.fetch-cuda': async () => {
      fetching?.abort();
      const { signal } = (fetching = new AbortController());
      const tell = (bytes: number): void => host.tell('devices.cuda-progress', { bytes });
      try {
        await askAlone(launch, 'fetch-cuda', { folder: places.onnxruntime }, { signal, tell });
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        throw error;
      }
    },
    'devices.cancel-fetch-cuda': () => {
      fetching?.abort();
      return null;
    },
    'storage.list': async () => await listStorage(folders()),
    'storage.reveal': async ({ kind }) => {
      await shell.openPath(folders()[kind]);
      return null;
    },
    'storage.move-runs': async () => {
      const [folder] = await choosePaths(host.window, host.t, 'runs-folder');
      if (folder === undefined) return false;
      await moveRuns(stores.store, host.runsFolder, folder, {
        moved: async (target) => host.tell('settings.changed', await stores.settings.set({ runsFolder: target })),
        onProgress: (progress) => host.tell('storage.progress', progress),
      });
      host.tell('runs.changed', null);
      return true;
    },
    'storage.clear-cache': async () => {
      await rm(places.cache, { recursive: true, force: true });
      return null;
    },
  };
}

/** Without the fields that were left out. */
function set(changes: Input<'settings.set'>): Partial<Settings> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}
