/**
 * `npm run test:clients`: other people's programs load what Tamis exports, and what they compute is compared with what Tamis
 * computes. Not part of `npm test`: the programs are 6 GB of Python packages and 560 MB of npm packages, installed in folders of
 * their own at the first start.
 */
import { spawnSync } from 'node:child_process';

import { bootstrap, npmStep } from './bootstrap.mjs';
import { exitWith, isMade, make, root } from './products.mjs';
import { mustSucceed, python, pythonObstacle, pythonStep, requirements } from './python-clients.mjs';

/** Models of our own: llama.cpp knows no OPT. */
const trained = ['llama', 'bloom', 'gpt2'].map((family) => {
  const folder = `build/clients/${family}`;
  const sources = ['test/clients/python/train_model.py', requirements];
  return { family, folder, sources, outputs: [`${folder}/model.safetensors`], stamp: `${folder}/.made` };
});

const steps = [
  pythonStep,
  npmStep('test/clients/node', 'Installing the npm packages that load exports (about 560 MB) …'),
  ...trained.map((model) => ({
    isMissing: () => !isMade(model),
    says: `Training a small ${model.family} on the texts of the demo (a minute or two) …`,
    run: () => make(model, () => train(model)),
  })),
];

async function train({ family, folder, sources: [script] }) {
  await mustSucceed(python, [script, family, 'dist/resources/demo-texts/calibration', 'resources/demo-model', folder]);
}

/** Why the tests cannot run on this machine; null where they can. */
function obstacle() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `the clients' binaries are locked for Linux x64, this is ${process.platform} ${process.arch}`;
  }
  return pythonObstacle();
}

async function main() {
  const reason = obstacle();
  if (reason !== null) {
    console.log(`skipped: all tests of clients (${reason})`);
    return;
  }
  await bootstrap(steps);
  const vitest = spawnSync('vitest', ['run', '--config', 'test/clients/vitest.config.ts'], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, TAMIS_CLIENTS_PYTHON: python },
  });
  process.exitCode = vitest.status ?? 1;
}

await main().catch(exitWith);
