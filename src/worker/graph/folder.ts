import path from 'node:path';

import { TamisError } from '../../contract/errors.ts';

/**
 * The deepest folder that holds all `files` (absolute, symlinks resolved). onnxruntime reads the external data of a graph given as
 * bytes from inside one folder, subfolders included.
 */
export function commonFolder(files: readonly string[]): string {
  const [first, ...rest] = files.map((file) => path.dirname(file));
  if (first === undefined) return process.cwd();
  let folder = first;
  for (const other of rest) {
    while (!isInside(folder, other)) {
      const parent = path.dirname(folder);
      if (parent === folder) throw new TamisError('checkpoint.two-drives', { one: first, other });
      folder = parent;
    }
  }
  return folder;
}

/** `file` relative to `folder`, with forward slashes as ONNX wants them. */
export function locationIn(folder: string, file: string): string {
  return path.relative(folder, file).split(path.sep).join('/');
}

function isInside(folder: string, other: string): boolean {
  const relative = path.relative(folder, other);
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}
