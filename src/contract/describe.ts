import { TamisError } from './errors.ts';
import { message, type Locale } from './messages/index.ts';

/** The sentence of anything that was thrown: never a stack trace. */
export function describe(error: unknown, locale: Locale): string {
  if (error instanceof TamisError) return message(error.code, error.params, locale);
  return message('internal', { detail: error instanceof Error ? error.message : String(error) }, locale);
}
