/**
 * `npm run test:clients`: other people's programs load what Tamis exports, and what they compute is compared with what Tamis
 * computes. Not part of `npm test`: the programs are 6 GB of Python packages and 560 MB of npm packages, installed in folders of
 * their own at the first start.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { bootstrap, dependenciesAreInstalled, npmCi } from './bootstrap.mjs';
import { SetUpError, exitWith, isMade, make, quietly, root } from './products.mjs';

const windows = process.platform === 'win32';
/** What the newest NumPy needs. */
const oldestPython = [3, 11];
const systemPython = windows ? 'python' : 'python3';
const venv = 'build/clients/venv';
const python = join(venv, windows ? 'Scripts/python.exe' : 'bin/python');

const pythonClients = {
  sources: ['test/clients/python/requirements.txt'],
  outputs: [python],
  stamp: join(venv, '.made'),
};

/** The clients that know no OPT get a model of our own. */
const llama = {
  sources: ['test/clients/python/train_llama.py', 'test/clients/python/requirements.txt'],
  outputs: ['build/clients/llama/model.safetensors'],
  stamp: 'build/clients/llama/.made',
};

const steps = [
  {
    isMissing: () => !isMade(pythonClients),
    says: 'Installing the Python packages that load exports (about 6 GB: some minutes the first time) …',
    run: () => make(pythonClients, installPythonClients),
  },
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

function installPythonClients() {
  mustSucceed(systemPython, ['-m', 'venv', venv]);
  mustSucceed(join(root, python), ['-m', 'pip', 'install', '--quiet', '--requirement', pythonClients.sources[0]]);
}

function trainLlama() {
  const folders = ['dist/resources/demo-texts/calibration', 'resources/demo-model', 'build/clients/llama'];
  mustSucceed(join(root, python), [llama.sources[0], ...folders]);
}

function mustSucceed(program, args) {
  if (quietly(program, args, { cwd: root }).status === 0) return;
  throw new SetUpError(`\`${program} ${args.join(' ')}\` failed (see above): check the network and try again.`);
}

/** Why the tests cannot run on this machine; null where they can. */
function obstacle() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `the clients' binaries are locked for Linux x64, this is ${process.platform} ${process.arch}`;
  }
  const { status, stdout } = spawnSync(systemPython, ['--version'], { encoding: 'utf8' });
  if (status !== 0) return `${systemPython} was not found: install Python ${oldestPython.join('.')} or newer`;
  const [major, minor] = stdout.replace('Python ', '').split('.').map(Number);
  if (major > oldestPython[0] || (major === oldestPython[0] && minor >= oldestPython[1])) return null;
  return `${stdout.trim()} is too old: install Python ${oldestPython.join('.')} or newer`;
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
    env: { ...process.env, TAMIS_CLIENTS_PYTHON: join(root, python) },
  });
  process.exitCode = vitest.status ?? 1;
}

await main().catch(exitWith);
