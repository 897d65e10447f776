import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import type { Page } from 'playwright';
import { beforeAll, beforeEach, describe, expect } from 'vitest';

import { findElectron } from '../../scripts/electron.mjs';
import { readReportOf } from '../integration/helpers.ts';
import { test } from './application.ts';
import { ask, compressed, reached, startRun, tinyRecipe } from './ask.ts';
import { firstPageOf } from './connect.ts';
import { enginesOf } from './processes.ts';

const script = fileURLToPath(new URL('../../scripts/package.mjs', import.meta.url));
const packaged = fileURLToPath(new URL('../../build/package/linux-unpacked', import.meta.url));
const unpacked = join(packaged, 'resources/app.asar.unpacked');
const electron = process.platform === 'linux' ? await findElectron() : null;

describe('the packaged application', () => {
  let packing: ReturnType<typeof spawnSync> | undefined;

  beforeAll(() => {
    if (electron !== null) packing = spawnSync(process.execPath, [script], { encoding: 'utf8' });
  });

  beforeEach(({ skip }) => {
    if (electron === null) skip('packed and started on Linux only, where an Electron is installed');
    expect(packing?.status, String(packing?.stderr)).toBe(0);
  });

  test('adds less than 120 MB to Electron without the demo model, and says how much', () => {
    const added = filesIn(packaged).filter(
      (path) => !path.startsWith('resources/demo-model/') && !isElectrons(path) && path !== 'tamis',
    );
    const bytes = added.reduce((sum, path) => sum + statSync(join(packaged, path)).size, 0);
    expect(bytes).toBeLessThan(120e6);
    expect(String(packing?.stdout)).toContain(`${(bytes / 1e6).toFixed(1)} MB beside Electron's own files`);
  });

  test('holds one onnxruntime, two languages, and no sources', () => {
    const files = filesIn(packaged);
    expect(files.filter((path) => path.includes('libonnxruntime'))).toHaveLength(1);
    expect(files.filter((path) => path.startsWith('locales/')).sort()).toEqual([
      'locales/en-US.pak',
      'locales/zh-TW.pak',
    ]);
    expect(files.filter((path) => /\.(ts|tsx|map|rs)$/.test(path))).toEqual([]);
  });

  test('has the fuses that close it', async () => {
    const fuses = await getCurrentFuseWire(join(packaged, 'tamis'));
    expect(fuses).toMatchObject({
      [FuseV1Options.RunAsNode]: FuseState.DISABLE,
      [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: FuseState.DISABLE,
      [FuseV1Options.EnableNodeCliInspectArguments]: FuseState.DISABLE,
      [FuseV1Options.GrantFileProtocolExtraPrivileges]: FuseState.DISABLE,
      [FuseV1Options.OnlyLoadAppFromAsar]: FuseState.ENABLE,
      [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: FuseState.ENABLE,
    });
  });

  test('compresses the demo model with its native parts from outside of the archive', async ({ folder }) => {
    const { page, main, quit } = await startPackaged(folder);
    const id = await startRun(page, await tinyRecipe(page));
    await compressed(page, id, 1);
    const loaded = [main.pid ?? 0, ...enginesOf(folder).map(({ pid }) => pid)].flatMap(nativePartsOf);
    expect([...new Set(loaded)].sort()).toEqual(nativeParts());
    const { path } = await reached(page, id, 'finished', 'failed');
    expect(readReportOf(path).layers.length).toBeGreaterThan(0);
    const { demo } = await ask(page, 'app.boot', null);
    expect(demo.model).toBe(join(packaged, 'resources/demo-model'));
    await quit();
  });
});

/** The fuses leave no inspector for Playwright's `_electron`: this goes through the page's own debugging port. */
async function startPackaged(folder: string): Promise<{ page: Page; main: ChildProcess; quit: () => Promise<void> }> {
  const args = ['--no-sandbox', '--remote-debugging-port=0', `--user-data-dir=${join(folder, 'user-data')}`];
  const env = { ...process.env, TAMIS_CACHE: join(folder, 'cache') };
  const main = spawn(join(packaged, 'tamis'), args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const page = await firstPageOf(main);
  await page.waitForLoadState();
  const quit = async (): Promise<void> => {
    const ended = once(main, 'exit');
    main.kill('SIGTERM');
    await ended;
  };
  return { page, main, quit };
}

/** Files that a process maps as code, of those that the package has unpacked. */
function nativePartsOf(pid: number): string[] {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
  return [...maps.matchAll(/ (\/.*)$/gm)].flatMap(([, path = '']) =>
    path.startsWith(unpacked) ? [relative(unpacked, path)] : [],
  );
}

function nativeParts(): string[] {
  return filesIn(unpacked).filter((path) => /\.node$|\.so(\.\d+)*$/.test(path));
}

function isElectrons(path: string): boolean {
  return electron !== null && filesIn(electron.folder).includes(path);
}

/** Relative to the folder, sorted. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
