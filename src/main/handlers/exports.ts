import { basename, join } from 'node:path';

import { shell } from 'electron';

import { freeBytes } from '../../contract/disk.ts';
import { TamisError } from '../../contract/errors.ts';
import type { RunRow } from '../../contract/history.ts';
import type { Host } from '../host.ts';
import { denseBytes, exportDense } from '../exports.ts';
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
    'exports.offers': async ({ id }) => [
      { format: 'dense', bytes: await denseBytes(finished(id).path), refusal: null, warnings: [] },
    ],
    'exports.free-bytes': async ({ folder }) => {
      host.stores.grants.assertPath(folder);
      return await freeBytes(folder);
    },
    'exports.start': async ({ id, format, folder }) => {
      const { path } = finished(id);
      host.stores.grants.assertPath(folder);
      const out = join(folder, basename(path));
      const abort = new AbortController();
      const started = performance.now();
      exporting.set(id, abort);
      try {
        await exportDense(path, out, {
          signal: abort.signal,
          onProgress: (progress) => host.tell('exports.progress', { id, stage: 'write', progress }),
        });
      } finally {
        exporting.delete(id);
      }
      exported.set(`${id} ${format}`, out);
      return {
        format: 'dense',
        path: out,
        bytes: await denseBytes(out),
        bitsPerWeight: 16,
        seconds: (performance.now() - started) / 1000,
        perplexity: null,
      };
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
