import type { z } from 'zod';

import { TamisError } from '../contract/errors.ts';

/** The JSON text of the file `path`, if it has the known shape; an error naming file and field if not. */
export function parseJson<T>(path: string, text: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new TamisError('file.not-json', { path, reason: (error as Error).message });
  }
  return checked(path, value, schema);
}

/** What was read from a file, if it has the known shape; an error naming file and field if not. */
export function checked<T>(path: string, value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new TamisError('file.wrong-shape', {
    path,
    field: field === '' ? 'the whole file' : field,
    reason: issue?.message ?? '',
  });
}
