/**
 * `npm run test:gpu`: a real GPU's parity with the CPU, then its rates: the Rust tests of the kernels with 300 random shapes, whole
 * runs, and Gram, factor and sweeps beside its matrix product. Not part of `npm test`, which has the same tests on an adapter in
 * software, with fewer shapes.
 *
 *     npm run test:gpu [-- NAME]         the GPU of that name (`tamis devices` lists them), or the one that `auto` takes
 */
import { spawnSync } from 'node:child_process';

import { listAdapters } from '../native/index.js';
import { hostTarget } from './host-target.mjs';
import { root } from './products.mjs';

/** Columns of the layers that are timed. */
const widths = { software: ['512'], other: ['1024', '4096', '8192'] };

async function main([wanted]) {
  const adapters = await listAdapters();
  const adapter = adapters.find(({ name, kind }) => (wanted ? name === wanted : kind !== 'software'));
  if (!adapter) {
    const names = adapters.map(({ name }) => name).join(', ');
    console.error(`There is no GPU ${wanted ?? 'with a driver'} here. Found: ${names || 'none'}.`);
    process.exitCode = 1;
    return;
  }
  console.log(`${adapter.name}, ${adapter.driver}`);
  const env = { ...process.env, TAMIS_GPU: adapter.name, TAMIS_GPU_SHAPES: '300' };
  const cargo = (...args) => [
    'cargo',
    [
      ...args.slice(0, 1),
      '--manifest-path',
      'native/Cargo.toml',
      '--release',
      '--target',
      hostTarget(),
      ...args.slice(1),
    ],
  ];
  const columns = adapter.kind === 'software' ? widths.software : widths.other;
  const steps = [
    cargo('test', '--tests', '--', 'gpu'),
    ['vitest', ['run', 'integration/gpu.test']],
    cargo('run', '--example', 'gpu', '--', adapter.name, ...columns),
  ];
  for (const [command, args] of steps) {
    const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env });
    if (status !== 0) process.exitCode = 1;
  }
}

await main(process.argv.slice(2));
