import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import type { ElectronApplication } from 'playwright';
import { expect } from 'vitest';

import { findElectron } from '../../scripts/electron.mjs';
import { stage } from '../../scripts/stage.mjs';
import { test } from './application.ts';

async function bounds(app: ElectronApplication): Promise<unknown> {
  return await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.getNormalBounds());
}

test('the window comes back where it was; a second start shows it and ends; an address opens its screen', async ({
  start,
  folder,
}) => {
  const first = await start();
  const place = { x: 140, y: 90, width: 1100, height: 700 };
  await first.app.evaluate(({ BrowserWindow }, to) => {
    BrowserWindow.getAllWindows()[0]?.setBounds(to);
  }, place);
  await expect.poll(async () => await bounds(first.app)).toEqual(place);
  await first.close();

  const { app, page } = await start();
  expect(await bounds(app)).toEqual(place);

  await app.evaluate(({ BrowserWindow }) => {
    BrowserWindow.getAllWindows()[0]?.hide();
  });
  const electron = await findElectron();
  if (!electron) throw new Error('no Electron');
  const { executable, args } = await stage(electron);
  const second = spawn(executable, [...args, '--no-sandbox', `--user-data-dir=${join(folder, 'user-data')}`], {
    stdio: 'ignore',
  });
  expect(await once(second, 'exit')).toEqual([0, null]);
  const isVisible = () => app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isVisible());
  await expect.poll(isVisible).toBe(true);
  expect(app.windows()).toHaveLength(1);

  // As a notification does.
  await app.evaluate(({ BrowserWindow }) => {
    BrowserWindow.getAllWindows()[0]?.webContents.send('tamis', { name: 'navigate', value: { to: '/history' } });
  });
  await page.getByRole('heading', { name: 'History' }).waitFor();
});
