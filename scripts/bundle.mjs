import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { SetUpError, root } from './products.mjs';

/** The oldest Electron that runs the application, that of the tests: users get a newer one. */
const oldest = { node: 'node20.18', page: 'chrome130' };

/** Found through the package.json beside the bundle. */
const own = ['#native', '#package'];

/** What CommonJS dependencies use and an ES module lacks. */
const forCommonJs = [
  `import { createRequire as requireFrom } from 'node:module';`,
  'const require = requireFrom(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;',
].join('\n');

const shared = {
  absWorkingDir: root,
  outbase: 'src',
  bundle: true,
  sourcemap: true,
  logLevel: 'error',
};

/** What onnxruntime-node fetches its CUDA provider with (src/worker/runtime/fetch-cuda.ts). */
export const installer = 'dist/onnxruntime-install.cjs';

export const commandLine = {
  sources: [
    'src/charts',
    'src/cli',
    'src/contract',
    'src/disk',
    'src/worker',
    'tsconfig.json',
    'scripts/bundle.mjs',
    'package-lock.json',
  ],
  outputs: ['dist/cli/index.js', installer],
  stamp: 'dist/cli/.built',
};

export const application = {
  sources: [
    'src/charts',
    'src/contract',
    'src/disk',
    'src/main',
    'src/preload',
    'src/renderer',
    'src/worker',
    'tsconfig.json',
    'scripts/bundle.mjs',
    'package-lock.json',
  ],
  outputs: [
    'dist/app/main/index.js',
    'dist/app/worker/index.js',
    'dist/app/preload/index.cjs',
    'dist/app/renderer/index.html',
    installer,
  ],
  stamp: 'dist/.application',
};

/** The command line with all that it depends on but the native packages: it starts in half the time that many files take. */
export async function bundleCommandLine() {
  rmSync(join(root, 'dist/cli'), { recursive: true, force: true });
  await bundleInstaller();
  await bundle('The command line', {
    ...shared,
    entryPoints: ['src/cli/index.ts'],
    outdir: 'dist',
    splitting: true,
    chunkNames: 'cli/chunks/[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node24',
    external: ['onnxruntime-node', ...own],
    define: { 'process.env.NODE_ENV': '"production"' },
    banner: { js: forCommonJs },
  });
}

/** The application's processes, with all that they depend on but Electron and the native packages. */
export async function bundleApplication() {
  rmSync(join(root, 'dist/app'), { recursive: true, force: true });
  await Promise.all([bundleMainAndWorker(), bundlePreload(), bundlePage(), bundleInstaller()]);
}

async function bundleMainAndWorker() {
  await bundle('The main process or the worker', {
    ...shared,
    entryPoints: ['src/main/index.ts', 'src/worker/index.ts'],
    outdir: 'dist/app',
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: oldest.node,
    external: ['electron', 'better-sqlite3', 'onnxruntime-node', ...own],
    define: { 'process.env.NODE_ENV': '"production"' },
    banner: { js: forCommonJs },
  });
}

/** One CommonJS file: a sandboxed preload is no ES module and can require nothing but Electron. */
async function bundlePreload() {
  await bundle('The preload', {
    ...shared,
    entryPoints: ['src/preload/index.ts'],
    outdir: 'dist/app',
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    platform: 'browser',
    target: oldest.page,
    external: ['electron'],
  });
}

/** In one file: it is copied to where it may write, and node_modules is not there. */
async function bundleInstaller() {
  await bundle("onnxruntime's install script", {
    ...shared,
    sourcemap: false,
    entryPoints: ['node_modules/onnxruntime-node/script/install.js'],
    outbase: 'node_modules/onnxruntime-node/script',
    outfile: installer,
    format: 'cjs',
    platform: 'node',
    target: oldest.node,
  });
}

async function bundlePage() {
  await bundle('The page', {
    ...shared,
    entryPoints: ['src/renderer/index.tsx'],
    outdir: 'dist/app',
    splitting: true,
    chunkNames: 'renderer/[name]-[hash]',
    assetNames: 'renderer/[name]-[hash]',
    format: 'esm',
    platform: 'browser',
    target: oldest.page,
    minify: true,
    jsx: 'automatic',
    loader: { '.svg': 'file', '.png': 'file', '.woff2': 'file' },
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  copyFileSync(join(root, 'src/renderer/index.html'), join(root, 'dist/app/renderer/index.html'));
}

async function bundle(name, options) {
  // Not installed yet when the set-up starts.
  const { build } = await import('esbuild');
  await build(options).catch(() => {
    throw new SetUpError(`${name} did not bundle: mend the sources as said above and try again.`);
  });
}
