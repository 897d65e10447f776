import { z } from 'zod';

import { TamisError } from './errors.ts';
import { en, type ErrorCode } from './messages/en.ts';

export const paramsSchema = z.record(z.string(), z.union([z.string(), z.number()]));

const codes = Object.keys(en) as [ErrorCode, ...ErrorCode[]];

/** A sentence of the catalogue as it crosses a process boundary: its code and what the sentence is filled with. */
export const failureSchema = z.strictObject({ code: z.enum(codes), params: paramsSchema });
export type Failure = z.infer<typeof failureSchema>;

/** A failure as a file keeps it: another version of Tamis may have had a code that this one has no sentence for. */
export const keptFailureSchema = z
  .object({ code: z.string(), params: paramsSchema })
  .transform(
    (kept): Failure => failureSchema.safeParse(kept).data ?? { code: 'internal', params: { detail: kept.code } },
  );

/** What was thrown, as its code and params. */
export function failureOf(error: unknown): Failure {
  if (error instanceof TamisError) return { code: error.code, params: { ...error.params } };
  return { code: 'internal', params: { detail: error instanceof Error ? error.message : String(error) } };
}

/** What another process threw, to be thrown here. */
export function errorOf({ code, params }: Failure): TamisError {
  return new TamisError(code, params);
}
