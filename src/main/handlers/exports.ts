import { basename, join } from 'node:path';

import { shell } from 'electron';

import { freeBytes } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';
import type { RunRow } from '../../contract/history.ts';
import { askAlone } from '../engine/service.ts';
import type { Host } from '../host.ts';
import type { HandlersOf } from '../ipc.ts';

export function exportHandlers(host: Host): HandlersOf<'exports.'> {
  const exporting = new Map<string, AbortController>();
  /** Folders by run and format. */
  const exported = new Map<string, string>();
  const finished = (id: string): RunRow => {
    const row = host.stores.history.get(id);
    if (row.state !== 'finished') throw new TamisError('export.not-finished', { name: row.name });
    return row;
  };
  return {
    'exports.offers': async ({ id }) => await host.service.ask('export-offers', { run: finished(id).path }),
    'exports.free-bytes': async ({ folder }) => {
      host.stores.grants.assertPath(folder);
      return await freeBytes(folder);
    },
    'exports.start': async ({ id, format, folder, check }) => {
      const { path } = finished(id);
      host.stores.grants.assertPath(folder);
      const out = join(folder, `${basename(path)}-${format}`);
      const abort = new AbortController();
      exporting.set(id, abort);
      try {
        const result = await askAlone(
          host.launch,
          'export',
          { run: path, format, out, check },
          { signal: abort.signal, tell: (told) => host.tell('exports.progress', { id, ...told }) },
        );
        exported.set(`${id} ${format}`, result.path);
        return result;
      } finally {
        exporting.delete(id);
      }
    },
    'exports.reveal': ({ id, format }) => {
      const out = exported.get(`${id} ${format}`);
      if (out !== undefined) shell.showItemInFolder(out);
      return null;
    },
    'exports.cancel': ({ id }) => {
      exporting.get(id)?.abort();
      return null;
    },
  };
}
