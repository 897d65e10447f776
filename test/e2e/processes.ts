import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

import { limits } from '../limits.ts';

/** A process by its id and arguments, from /proc. */
export interface Seen {
  readonly pid: number;
  readonly arguments: string;
}

/** All processes whose arguments hold a text: those of one application by its `--user-data-dir`. */
export function processesWith(text: string): Seen[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), arguments: argumentsOf(name) }))
    .filter((process) => process.arguments.includes(text));
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** Utility processes of the engine. The service that answers questions and each run are one. */
export function enginesOf(folder: string): Seen[] {
  return processesWith(folder).filter(
    (process) => process.arguments.includes('--type=utility') && process.arguments.includes('node.mojom.NodeService'),
  );
}

/** Whether it is still there; a zombie is not. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/**
 * Waits until none of the processes is left that `find` finds. Returns how long that took, less what they and this process waited for a
 * processor that other programs had: the time it takes where nothing else runs, ms.
 */
export async function timeToEnd(find: () => readonly Seen[]): Promise<number> {
  const began = performance.now();
  const own = waitedForProcessor(process.pid);
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  for (let left = find(); left.length > 0; left = find()) {
    for (const { pid } of left) {
      const waited = waitedForProcessor(pid);
      if (!first.has(pid)) first.set(pid, waited);
      last.set(pid, Math.max(last.get(pid) ?? 0, waited));
    }
    if (performance.now() - began > limits.wait) {
      throw new Error(`still there:\n${left.map((seen) => `${seen.pid} ${seen.arguments.slice(0, 200)}`).join('\n')}`);
    }
    await wait(20);
  }
  const waited = [...last].map(([pid, ms]) => ms - (first.get(pid) ?? 0));
  return performance.now() - began - Math.max(0, ...waited) - (waitedForProcessor(process.pid) - own);
}

/** How long the threads of a process have been ready to run and did not, altogether, ms. */
function waitedForProcessor(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[1]) / 1e6)
      .reduce((sum, ms) => sum + ms, 0);
  } catch {
    // It has just ended.
    return 0;
  }
}
