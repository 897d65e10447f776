import { basename, join } from 'node:path';

import { shell } from 'electron';

import { TamisError } from '../../contract/errors.ts';
import type { RunRow } from '../../contract/history.ts';
import type { Host } from '../host.ts';
import { choosePaths } from '../dialogs.ts';
import { denseBytes, exportDense } from '../exports.ts';
import type { HandlersOf } from '../ipc.ts';

export function exportHandlers(host: Host): HandlersOf<'exports.'> {
  const exporting = new Map<string, AbortController>();
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
    'exports.start': async ({ id }) => {
      const { path } = finished(id);
      const [folder] = await choosePaths(host.window, host.t, 'export');
      if (folder === undefined) return null;
      const out = join(folder, basename(path));
      const abort = new AbortController();
      const started = performance.now();
      exporting.set(id, abort);
      try {
        await exportDense(path, out, {
          signal: abort.signal,
          onProgress: (progress) => host.tell('exports.progress', { id, progress }),
        });
      } finally {
        exporting.delete(id);
      }
      exported.set(id, out);
      return {
        format: 'dense',
        path: out,
        bytes: await denseBytes(out),
        bitsPerWeight: 16,
        seconds: (performance.now() - started) / 1000,
        perplexity: null,
      };
    },
    'exports.reveal': ({ id }) => {
      const out = exported.get(id);
      if (out !== undefined) shell.showItemInFolder(out);
      return null;
    },
    'exports.cancel': ({ id }) => {
      exporting.get(id)?.abort();
      return null;
    },
  };
}
