import path from 'node:path';

import type { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import type { Activation } from '../graph/operations.ts';
import type { Source } from './family.ts';

/** The fields of config.json that a family needs, checked; refuses the first wrong one by name. */
export function readConfig<T extends z.ZodType>(source: Pick<Source, 'folder' | 'config'>, schema: T): z.infer<T> {
  const parsed = schema.safeParse(source.config);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const file = path.join(source.folder, 'config.json');
  throw new TamisError('config.field', {
    path: file,
    field: issue?.path.join('.') ?? '',
    reason: issue?.message ?? '',
  });
}

/** By transformers' names (ACT2FN). */
const activations: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_new: 'gelu-tanh',
  gelu_fast: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  relu: 'relu',
};

/** The activation function that a config names; refuses one that no graph computes. */
export function activationOf(name: string): Activation {
  const activation = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (!activation)
    throw new TamisError('config.activation', { value: name, known: Object.keys(activations).join(', ') });
  return activation;
}
