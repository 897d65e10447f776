/** The Python packages that tests compare Tamis with, in a virtual environment of the checkout: nobody else's Python is touched. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { SetUpError, isMade, make, root } from './products.mjs';
import { quietly } from './supervised.mjs';

const windows = process.platform === 'win32';
/** What the newest NumPy needs. */
const oldestPython = [3, 11];
const systemPython = windows ? 'python' : 'python3';
const venv = 'build/clients/venv';
const inVenv = join(venv, windows ? 'Scripts/python.exe' : 'bin/python');

/** Lists the packages: whatever they make is outdated with it. */
export const requirements = 'test/clients/python/requirements.txt';

/** The environment's Python. */
export const python = join(root, inVenv);

const pythonClients = { sources: [requirements], outputs: [inVenv], stamp: join(venv, '.made') };

/** The step of the set-up that installs them. */
export const pythonStep = {
  isMissing: () => !isMade(pythonClients),
  says: 'Installing the Python packages of the comparisons (about 6 GB: some minutes the first time) …',
  run: () => make(pythonClients, installPythonClients),
};

async function installPythonClients() {
  await mustSucceed(systemPython, ['-m', 'venv', venv]);
  await mustSucceed(python, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements]);
}

/** Runs a program of the set-up in the checkout. */
export async function mustSucceed(program, args) {
  if (await quietly(program, args, { cwd: root })) return;
  throw new SetUpError(`\`${program} ${args.join(' ')}\` failed (see above): check the network and try again.`);
}

/** Why there can be no such environment on this machine; null where there can. */
export function pythonObstacle() {
  const { status, stdout } = spawnSync(systemPython, ['--version'], { encoding: 'utf8' });
  if (status !== 0) return `${systemPython} was not found: install Python ${oldestPython.join('.')} or newer`;
  const [major, minor] = stdout.replace('Python ', '').split('.').map(Number);
  if (major > oldestPython[0] || (major === oldestPython[0] && minor >= oldestPython[1])) return null;
  return `${stdout.trim()} is too old: install Python ${oldestPython.join('.')} or newer`;
}
