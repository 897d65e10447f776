import { readdirSync, readFileSync } from 'node:fs';

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
