import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** The lock of whoever makes a product of the checkout. */
export const setUpLock = join(root, '.bootstrap-lock');

/** The Node of the devDependencies. */
export const lockedNode = join(root, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** A failure that the reader can mend, in one sentence. */
export class SetUpError extends Error {}

/** Prints a set-up failure as its sentence and ends the process; anything else is a fault of the set-up itself. */
export function exitWith(error) {
  if (!(error instanceof SetUpError)) throw error;
  console.error(error.message);
  process.exit(1);
}

/**
 * Whether a product is newer than what it is made from.
 * A product: { sources, outputs, stamp, variant? }, all paths in the checkout; the stamp holds the fingerprint of the sources and of
 * the variant that was asked for.
 */
export function isMade(product) {
  return (
    [...product.outputs, product.stamp].every((file) => existsSync(join(root, file))) &&
    readFileSync(join(root, product.stamp), 'utf8') === fingerprint(product)
  );
}

/**
 * Makes a product; sources that change meanwhile make it outdated. Its stamp is written when the product lies on the disk, so that after
 * a power cut, too, there is none beside half a product.
 */
export async function make(product, work) {
  const made = fingerprint(product);
  const stamp = join(root, product.stamp);
  if (existsSync(stamp)) {
    rmSync(stamp);
    flush(dirname(stamp));
  }
  await work();
  flushAll();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, made);
  flush(stamp);
  flush(dirname(stamp));
}

/** Writes what the system holds back of the checkout's drive. Windows has no such command for everybody and writes within seconds. */
function flushAll() {
  if (process.platform === 'win32') return;
  const onlyThisDrive = process.platform === 'linux' && spawnSync('sync', ['-f', root]).status === 0;
  if (!onlyThisDrive) spawnSync('sync');
}

/** The same for a file or a folder's list of files; Windows knows it for files alone. */
function flush(path) {
  if (process.platform === 'win32' && statSync(path).isDirectory()) return;
  const opened = openSync(path, process.platform === 'win32' ? 'r+' : 'r');
  fsyncSync(opened);
  closeSync(opened);
}

/** A hash of the variant and of the names and contents of all files that the sources stand for. */
function fingerprint({ sources, variant = '' }) {
  const hash = createHash('sha256').update(`${variant}\0`);
  for (const file of sources.flatMap((source) => filesIn(join(root, source))).sort()) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
}

/** The files in a folder and its subfolders, or the file itself; none where there is nothing. */
export function filesIn(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(join(path, entry.name)) : [join(path, entry.name)],
  );
}
