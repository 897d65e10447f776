import { copyFileSync, linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { application, bundleApplication, installer } from './bundle.mjs';
import { core } from './core.mjs';
import { demoTexts } from './demo-texts.mjs';
import { withLock } from './lock.mjs';
import { copyAsExperimental, keepEverything } from './node-api.mjs';
import { filesIn, isMade, make, root, setUpLock } from './products.mjs';

const folder = join(root, 'build/stage');
const platform = `${process.platform}/${process.arch}`;

/**
 * Lays the application out in `build/stage` as it is packed: bundle, native parts, and nothing else of node_modules. Files are hard
 * links to those of the checkout where that can be.
 * Returns what to start it with on that Electron: { executable, args }.
 */
export async function stage(electron) {
  const product = {
    sources: [
      application.stamp,
      core.stamp,
      demoTexts.stamp,
      'package.json',
      'package-lock.json',
      'scripts/stage.mjs',
      'scripts/node-api.mjs',
    ],
    variant: electron.folder,
    outputs: ['build/stage/package.json'],
    stamp: 'build/.stage',
  };
  await withLock(setUpLock, async () => {
    if (!isMade(application)) await make(application, bundleApplication);
    if (!isMade(product)) await make(product, () => layOut(electron));
  });
  return electron.isStandIn
    ? { executable: join(root, 'build/electron/electron'), args: [] }
    : { executable: electron.executable, args: [folder] };
}

function layOut(electron) {
  rmSync(folder, { recursive: true, force: true });
  writeDescription();
  linkTree('dist/app', 'dist/app', (file) => !file.endsWith('.map'));
  link(join(root, installer), join(folder, installer));
  linkTree('native', 'native', (file) => file === 'index.js' || file.endsWith('.node'));
  linkTree('resources/demo-model', 'resources/demo-model');
  linkTree('dist/resources/demo-texts', 'resources/demo-texts');
  stageRuntime();
  stageDatabase(electron);
  if (electron.isStandIn) linkStandIn(electron);
}

function writeDescription() {
  const { name, version, description, license, type, imports, dependencies } = own('package.json');
  const external = ['better-sqlite3', 'onnxruntime-node'];
  write('package.json', {
    name,
    productName: 'Tamis',
    author: 'The Tamis authors',
    version,
    description,
    license,
    type,
    main: 'dist/app/main/index.js',
    imports,
    dependencies: Object.fromEntries(external.map((dependency) => [dependency, dependencies[dependency]])),
  });
}

/** onnxruntime for this system alone: those for all take 288 MB. */
function stageRuntime() {
  const wanted = (file) =>
    file.startsWith(`bin/napi-v6/${platform}/`) || (file.startsWith('dist/') && file.endsWith('.js'));
  stagePackage('onnxruntime-node', ['onnxruntime-common'], wanted);
  stagePackage('onnxruntime-common', [], (file) => file.startsWith('dist/cjs/') && /\.(js|json)$/.test(file));
}

function stageDatabase({ isStandIn }) {
  const name = `prebuilds/${platform.replace('/', '-')}.node`;
  const path = 'node_modules/better-sqlite3';
  stagePackage('better-sqlite3', [], (file) => file.startsWith('lib/') || (file === name && !isStandIn));
  if (!isStandIn) return;
  // The package prefers a binary in this place.
  const copy = join(folder, path, 'build/Release/better_sqlite3.node');
  mkdirSync(dirname(copy), { recursive: true });
  copyAsExperimental(join(root, path, name), copy);
  const binding = join(folder, path, 'lib/binding.js');
  rmSync(binding);
  writeFileSync(binding, readFileSync(join(root, path, 'lib/binding.js'), 'utf8') + keepEverything);
}

/** A package's wanted files and its licence, and of its description what Node and the packer read. */
function stagePackage(packageName, needed, isWanted) {
  const path = `node_modules/${packageName}`;
  const { name, version, license, type, main, exports, dependencies: all = {} } = own(`${path}/package.json`);
  const dependencies = Object.fromEntries(needed.map((dependency) => [dependency, all[dependency]]));
  linkTree(path, path, (file) => isWanted(file) || /^licen[cs]e/i.test(file));
  write(`${path}/package.json`, { name, version, license, type, main, exports, dependencies });
}

/** It takes no application on the command line, only one in its own folder. */
function linkStandIn(electron) {
  const target = join(root, 'build/electron');
  rmSync(target, { recursive: true, force: true });
  for (const file of filesIn(electron.folder)) link(file, join(target, relative(electron.folder, file)));
  mkdirSync(join(target, 'resources'), { recursive: true });
  symlinkSync('../../stage', join(target, 'resources/app'));
}

function linkTree(from, to, isWanted = () => true) {
  const source = join(root, from);
  for (const file of filesIn(source)) {
    const name = relative(source, file);
    if (isWanted(name.replaceAll('\\', '/'))) link(file, join(folder, to, name));
  }
}

function link(file, target) {
  mkdirSync(dirname(target), { recursive: true });
  try {
    linkSync(file, target);
  } catch {
    // Another drive, or a file system without links.
    copyFileSync(file, target);
  }
}

function own(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}

function write(path, value) {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), `${JSON.stringify(value, null, 2)}\n`);
}
