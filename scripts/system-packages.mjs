import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { standInFolder } from './electron.mjs';
import { SetUpError } from './products.mjs';
import { quietly } from './supervised.mjs';

/** Debian's names; Ubuntu's newer ones are found by these. */
const libraries =
  'libgtk-3-0 libnss3 libasound2 libgbm1 libxss1 libxtst6 libatk-bridge2.0-0 libatspi2.0-0 libdrm2 libxkbcommon0 libnotify4';
const forTests = 'xvfb xauth fontconfig fonts-dejavu-core fonts-noto-cjk';

/** The command that installs what Electron needs. */
export const librariesCommand = `apt-get install --no-install-recommends ${libraries}`;

/** Shared libraries that a Linux program needs and the system lacks. */
export function missingLibraries(program) {
  if (process.platform !== 'linux') return [];
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  return [...(stdout ?? '').matchAll(/^\s*(\S+) => not found$/gm)].map(([, name]) => name);
}

/** Whether the tests find a display server, fonts of both languages and the libraries of the Electron they run on. */
export function systemLacksPackages() {
  if (process.platform !== 'linux') return false;
  const hasFonts = spawnSync('fc-list', [':lang=zh-tw'], { encoding: 'utf8' }).stdout?.trim();
  const hasDisplay = spawnSync('Xvfb', ['-help']).status !== null;
  const electron = join(standInFolder, 'electron');
  return !hasFonts || !hasDisplay || (existsSync(electron) && missingLibraries(electron).length > 0);
}

/** Only root may, and only Debian and its relatives are known; whoever else is told what to install. */
export async function installSystemPackages() {
  const packages = `${libraries} ${forTests}`.split(' ');
  const command = ['install', '--yes', '--no-install-recommends', ...packages];
  // A package that is half installed is in the way of all of the system's others.
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, toTheEnd: true };
  const done =
    process.getuid() === 0 &&
    (await quietly('apt-get', ['update'], options)) &&
    (await quietly('apt-get', command, options));
  if (!done)
    throw new SetUpError(`The tests of the application need system packages: sudo apt-get ${command.join(' ')}`);
}
