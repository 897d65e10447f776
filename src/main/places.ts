import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { app } from 'electron';
import envPaths from 'env-paths';

/** Where everything lies. */
export interface Places {
  readonly preload: string;
  /** Folder of the bundled page. */
  readonly page: string;
  /** Bundle of src/worker/index.ts. */
  readonly engine: string;
  /** The application's data folder: database, settings, window's place. */
  readonly data: string;
  readonly runs: string;
  /** Models from the hub. */
  readonly models: string;
  readonly logs: string;
  /** onnxruntime with the CUDA provider, once that is fetched: the application's own folder may be read-only. */
  readonly onnxruntime: string;
  /** Shared with the command line: estimates and dense perplexities. */
  readonly cache: string;
  readonly demo: { readonly model: string; readonly calibration: string; readonly evaluation: string };
}

export function places(): Places {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  const bundle = join(app.getAppPath(), 'dist', 'app');
  const data = app.getPath('userData');
  const resources = app.isPackaged ? lasting(process.resourcesPath, data) : join(app.getAppPath(), 'resources');
  return {
    preload: join(bundle, 'preload', 'index.cjs'),
    page: join(bundle, 'renderer'),
    engine: join(bundle, 'worker', 'index.js'),
    data,
    runs: join(data, 'runs'),
    models: join(data, 'models'),
    logs: join(data, 'logs'),
    onnxruntime: join(data, 'onnxruntime', version),
    cache: process.env['TAMIS_CACHE'] ?? envPaths('tamis', { suffix: '' }).cache,
    demo: {
      model: join(resources, 'demo-model'),
      calibration: join(resources, 'demo-texts', 'calibration'),
      evaluation: join(resources, 'demo-texts', 'evaluation'),
    },
  };
}

/** An AppImage is mounted at another place at each start, and recipes of earlier runs name its resources: a link keeps one. */
function lasting(resources: string, data: string): string {
  if (!process.env['APPIMAGE']) return resources;
  const link = join(data, 'resources');
  rmSync(link, { force: true });
  mkdirSync(data, { recursive: true });
  symlinkSync(resources, link);
  return link;
}
