import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { shareLock } from './lock.mjs';

const ward = fileURLToPath(new URL('ward.mjs', import.meta.url));

/**
 * Runs a program that does not outlive this process, not even where it is killed, and that shares the lock which this process holds.
 * One that must not be ended halfway goes on `toTheEnd`, and keeps the lock until then.
 * Returns whether it succeeded, and its error output: { succeeded, errors }. Further options are those of `spawn`.
 */
export async function supervised(program, args, { toTheEnd = false, ...options } = {}) {
  const child = spawn(process.execPath, [ward, ...(toTheEnd ? ['--to-the-end'] : []), program, ...args], {
    ...options,
    detached: true,
    windowsHide: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
  child.stdin.on('error', () => {
    // It has ended already: its status tells.
  });
  // Whoever kills this process before the lock is shared has killed it before anything was started.
  shareLock(child.pid);
  child.stdin.write('start\n');
  const status = await new Promise((resolve) => child.on('close', resolve));
  return { succeeded: status === 0, errors: errors.trim() };
}

/** The same without showing its output; if it fails, its error output. Returns whether it succeeded. */
export async function quietly(program, args, options) {
  const { succeeded, errors } = await supervised(program, args, options);
  if (!succeeded && errors !== '') console.error(errors);
  return succeeded;
}
