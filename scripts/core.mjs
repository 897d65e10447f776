import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { SetUpError, lockedNode, root } from './products.mjs';
import { quietly } from './supervised.mjs';

export const core = {
  sources: ['native/src', 'native/Cargo.toml', 'native/Cargo.lock', 'native/build.rs', 'scripts/core.mjs'],
  outputs: ['native/index.js', 'native/index.d.ts'],
  stamp: 'native/.built',
};

/** The Rust core as a Node addon. */
export async function buildCore() {
  if (spawnSync('cargo', ['--version']).status !== 0) {
    throw new SetUpError('Rust was not found: install Rust 1.89 or newer with rustup and try again.');
  }
  const args = ['build', '--release', '--platform', '--esm', '--js', 'index.js', '--dts', 'index.d.ts'];
  const paths = ['--manifest-path', 'native/Cargo.toml', '--output-dir', 'native'];
  const napi = join(root, 'node_modules/@napi-rs/cli/dist/cli.js');
  if (!(await quietly(lockedNode, [napi, ...args, ...paths], { cwd: root }))) {
    throw new SetUpError('The Rust core did not build (see above): it needs Rust 1.89 or newer and a C compiler.');
  }
}
