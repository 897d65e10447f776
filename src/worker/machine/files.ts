import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

import { TamisError } from '../../contract/errors.ts';
import { readError } from '../../disk/file-errors.ts';

/** SHA-256 of a file's bytes, hex; `onBytes` hears of each chunk. */
export async function hashFile(path: string, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  // One buffer for all of it: a stream makes a new one for each chunk, and those pile up until the collector looks for them.
  const chunk = new Uint8Array(4 << 20);
  try {
    const file = await open(path);
    try {
      for (;;) {
        if (signal.aborted) throw new TamisError('cancelled');
        const { bytesRead } = await file.read(chunk);
        if (bytesRead === 0) return hash.digest('hex');
        hash.update(chunk.subarray(0, bytesRead));
        onBytes(bytesRead);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readError(error, path);
  }
}

export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function hashTokens(tokens: Int32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength))
    .digest('hex');
}
