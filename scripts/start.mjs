/** `npm start [-- ARGUMENTS]`: opens the application; the arguments are its own and Electron's. */
import { bootstrap, testTools } from './bootstrap.mjs';
import { findElectron, officialElectron, standInFits } from './electron.mjs';
import { forward } from './forward.mjs';
import { SetUpError, exitWith } from './products.mjs';
import { stage } from './stage.mjs';
import { librariesCommand, missingLibraries } from './system-packages.mjs';

async function start(args) {
  const electron = await electronToStart();
  const missing = missingLibraries(electron.executable);
  if (missing.length > 0) {
    throw new SetUpError(`Electron needs ${missing.join(', ')}: install them (on Debian: sudo ${librariesCommand}).`);
  }
  const { executable, args: first } = await stage(electron);
  // Chromium refuses to run as root inside of its sandbox.
  const sandbox = process.platform === 'linux' && process.getuid() === 0 ? ['--no-sandbox'] : [];
  forward(executable, [...first, ...sandbox, ...args], {});
}

async function electronToStart() {
  const installed = await findElectron();
  if (installed !== null && !installed.isStandIn) return installed;
  await bootstrap([officialElectron]);
  if (officialElectron.isMissing() && standInFits) {
    console.error('It could not be downloaded: an older Electron takes its place, which is for tests only.');
    await bootstrap(testTools);
  }
  const electron = await findElectron();
  if (electron === null) throw new SetUpError('Electron could not be downloaded: check the network and try again.');
  return electron;
}

await start(process.argv.slice(2)).catch(exitWith);
