import path from 'node:path';

import type { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
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
