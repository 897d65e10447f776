/**
 * `npm run test:clients`: other people's programs load what Tamis exports, and what they compute is compared with what Tamis
 * computes. Not part of `npm test`: the programs are 6 GB of Python packages and 560 MB of npm packages, installed in folders of
 * their own at the first start.
 */
import { spawnSync } from 'node:child_process';

import { bootstrap, dependenciesAreInstalled, npmCi } from './bootstrap.mjs';
import { exitWith, isMade, make, root } from './products.mjs';
import { mustSucceed, python, pythonObstacle, pythonStep, requirements } from './python-clients.mjs';

/** The clients that know no OPT get a model of our own. */
const llama = {
  sources: ['test/clients/python/train_llama.py', requirements],
  outputs: ['build/clients/llama/model.safetensors'],
  stamp: 'build/clients/llama/.made',
};

const steps = [
  pythonStep,
  {
    isMissing: () => !dependenciesAreInstalled('test/clients/node'),
    says: 'Installing the npm packages that load exports (about 560 MB) …',
    run: () => npmCi('test/clients/node'),
  },
  {
    isMissing: () => !isMade(llama),
    says: 'Training a small LLaMA on the texts of the demo (about two minutes) …',
    run: () => make(llama, trainLlama),
  },
];

function trainLlama() {
  const folders = ['dist/resources/demo-texts/calibration', 'resources/demo-model', 'build/clients/llama'];
  mustSucceed(python, [llama.sources[0], ...folders]);
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
