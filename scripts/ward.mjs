/**
 * Runs a program for a process of the set-up and ends as the program ends. When that process ends first, however it ends, the program
 * and all that it has started are ended at once; with --to-the-end they are not, and only then.
 * Started as the leader of a process group, by `supervised`: a pipe from that process is the standard input. The program starts at
 * the first word from there; its end is the end of that process.
 *
 *     node ward.mjs [--to-the-end] PROGRAM [ARGUMENT …]
 */
import { spawn } from 'node:child_process';

import { endOwnGroup } from './processes.mjs';

const toTheEnd = process.argv[2] === '--to-the-end';
const [program, ...args] = process.argv.slice(toTheEnd ? 3 : 2);
let isStarted = false;

process.stdin.once('data', () => {
  isStarted = true;
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], windowsHide: true });
  // Through here, because a program whose error output has no reader any more is ended by that.
  child.stderr.on('data', (text) => process.stderr.write(text));
  child.on('error', (error) => console.error(`${program} did not start: ${error.message}`));
  child.on('close', (status) => {
    process.exitCode = status ?? 1;
    process.stdin.destroy();
  });
});
process.stdin.on('end', () => {
  if (isStarted && !toTheEnd) endOwnGroup();
});
process.stderr.on('error', () => {
  // Nobody reads it any more.
});
process.on('SIGTERM', endOwnGroup);
