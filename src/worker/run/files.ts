import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

import { TamisError } from '../../contract/errors.ts';
import { readError } from '../../contract/file-errors.ts';

/** SHA-256 of a file's bytes, hex; `onBytes` hears of each chunk. */
export async function hashFile(path: string, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 4 << 20, signal })) {
      hash.update(chunk as Buffer);
      onBytes((chunk as Buffer).length);
    }
  } catch (error) {
    throw signal.aborted ? new TamisError('cancelled') : readError(error, path);
  }
  return hash.digest('hex');
}

export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function hashTokens(tokens: Int32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength))
    .digest('hex');
}
