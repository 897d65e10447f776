import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { findElectron } from '../../scripts/electron.mjs';

const folder = fileURLToPath(new URL('../../build/empty-window', import.meta.url));

const main = `
const { app, BrowserWindow } = require('electron');
app.whenReady().then(() => new BrowserWindow({ width: 1280, height: 800 }).loadURL('data:text/html,<p>empty</p>'));
`;

/** An application that opens a window on the same Electron and no more: how it is started. */
export async function emptyWindow(): Promise<{ executable: string; args: string[] }> {
  const electron = await findElectron();
  if (electron === null) throw new Error('No Electron is installed for this system.');
  rmSync(folder, { recursive: true, force: true });
  if (!electron.isStandIn) {
    writeApplication(folder);
    return { executable: electron.executable, args: [folder] };
  }
  // It takes no application on the command line, only one in its own folder.
  spawnSync('cp', ['--archive', '--link', electron.folder, folder]);
  writeApplication(join(folder, 'resources/app'));
  return { executable: join(folder, 'electron'), args: [] };
}

function writeApplication(at: string): void {
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'package.json'), JSON.stringify({ name: 'empty', version: '1.0.0', main: 'main.js' }));
  writeFileSync(join(at, 'main.js'), main);
}
