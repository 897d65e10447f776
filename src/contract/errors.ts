import type { ErrorCode } from './messages/en.ts';
import type { MessageParams } from './messages/params.ts';

/**
 * The only error the product throws on purpose: a code of the message catalogue and the values its sentence needs.
 * The sentence itself is made where it is shown (`describe.ts`), in the reader's language.
 */
export class TamisError extends Error {
  readonly code: ErrorCode;
  readonly params: MessageParams;

  constructor(code: ErrorCode, params: MessageParams = {}, options?: ErrorOptions) {
    super(`${code} ${JSON.stringify(params)}`, options);
    this.name = 'TamisError';
    this.code = code;
    this.params = params;
  }
}
