/** `npm run format`: writes all sources in the form that `npm run lint` checks for. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const options = {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  stdio: 'inherit',
  shell: process.platform === 'win32',
};
spawnSync('prettier', ['--write', '--log-level', 'warn', '.'], options);
spawnSync('cargo', ['fmt', '--manifest-path', 'native/Cargo.toml'], options);
