import { stat } from 'node:fs/promises';

import type { Model } from './open.ts';

/** The weight files of a model, symlinks resolved, in order. */
export function weightFiles(model: Model): string[] {
  return [...new Set([...model.tensors.values()].map((tensor) => tensor.file))].sort();
}

/** The bytes of all weight files of a model. */
export async function weightBytes(model: Model): Promise<number> {
  const sizes = await Promise.all(weightFiles(model).map(async (file) => (await stat(file)).size));
  return sizes.reduce((a, b) => a + b, 0);
}
