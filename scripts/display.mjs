import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * A display of its own for windows that nobody looks at (Linux; elsewhere they open on the screen). Sets DISPLAY for all processes
 * started after it; returns what closes it.
 */
export async function openDisplay() {
  if (process.platform !== 'linux') return () => {};
  // The server ends with this process, however that ends.
  const command = [
    '--pdeathsig',
    'TERM',
    'Xvfb',
    '-displayfd',
    '3',
    '-screen',
    '0',
    '2560x1440x24',
    '-nolisten',
    'tcp',
  ];
  const server = spawn('setpriv', command, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const [number] = await Promise.race([once(server.stdio[3], 'data'), once(server, 'exit').then(() => [null])]);
  if (number === null) throw new Error('Xvfb did not start.');
  const before = process.env.DISPLAY;
  process.env.DISPLAY = `:${String(number).trim()}`;
  return () => {
    server.kill();
    if (before === undefined) delete process.env.DISPLAY;
    else process.env.DISPLAY = before;
  };
}
