import { dirname, resolve } from 'node:path';

import { TamisError } from '../contract/errors.ts';

/** A recipe file's JSON as it is written, its relative paths taken from its own folder. For processes with Node alone. */
export function recipeOfFile(path: string, text: string): Record<string, unknown> {
  const folder = dirname(resolve(path));
  let recipe: unknown;
  try {
    recipe = JSON.parse(text, (key, value: unknown) => absolute(folder, key, value));
  } catch (error) {
    throw new TamisError('file.not-json', { path: resolve(path), reason: (error as Error).message });
  }
  if (typeof recipe === 'object' && recipe !== null && !Array.isArray(recipe)) return { ...recipe };
  throw new TamisError('file.not-json', { path: resolve(path), reason: 'a recipe is an object' });
}

function absolute(folder: string, key: string, value: unknown): unknown {
  if ((key === 'model' || key === 'path') && typeof value === 'string') return resolve(folder, value);
  if (key === 'paths' && Array.isArray(value))
    return value.map((path: unknown) => (typeof path === 'string' ? resolve(folder, path) : path));
  return value;
}
