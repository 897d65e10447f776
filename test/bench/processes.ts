import { readdirSync, readFileSync } from 'node:fs';

/** Of a second: the unit of the times in /proc, the same on every Linux of today. */
const TICK = 0.01;

interface Process {
  readonly pid: number;
  readonly parent: number;
  /** CPU seconds so far, user and system. */
  readonly seconds: number;
}

/** A process and all that descend from it. */
export function treeOf(root: number): Process[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => read(name));
  const tree = all.filter(({ pid }) => pid === root);
  // Grows while it is walked: children of children too.
  for (const { pid } of tree) tree.push(...all.filter(({ parent }) => parent === pid));
  return tree;
}

function read(name: string): Process[] {
  try {
    // The program's name may hold spaces and brackets: fields are counted from its end.
    const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
      .map(Number);
    const [parent = 0, user = 0, system = 0] = [fields[1], fields[11], fields[12]];
    return [{ pid: Number(name), parent, seconds: (user + system) * TICK }];
  } catch {
    // It has just ended.
    return [];
  }
}

/** Memory in bytes, pages that several processes share divided among them. */
export function memoryOf(tree: readonly Process[]): number {
  const kibibytes = tree.map(({ pid }) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0),
  );
  return 1024 * kibibytes.reduce((sum, one) => sum + one, 0);
}

/** CPU seconds that a process and its descendants spend in so many milliseconds; what one of them spends that ends meanwhile is lost. */
export async function cpuSecondsIn(root: number, milliseconds: number): Promise<number> {
  const before = new Map(treeOf(root).map(({ pid, seconds }) => [pid, seconds]));
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return treeOf(root).reduce((sum, { pid, seconds }) => sum + seconds - (before.get(pid) ?? 0), 0);
}
