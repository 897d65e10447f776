import { TamisError } from '../contract/errors.ts';

/** Turns what the file system refused to write into a sentence's code; anything else is passed through. */
export function fileError(error: unknown, path: string): unknown {
  if (!isSystemError(error)) return error;
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return new TamisError('file.no-space', { path });
  return new TamisError('file.not-writable', { path, reason: reasonOf(error) });
}

/** The same for what it refused to read. */
export function readError(error: unknown, path: string): unknown {
  return isSystemError(error) ? new TamisError('file.not-readable', { path, reason: reasonOf(error) }) : error;
}

/** Whether it says that the file or folder is not there. */
export function isMissing(error: unknown): boolean {
  return isSystemError(error) && error.code === 'ENOENT';
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}

/** `ENOENT: no such file or directory`, without the call and the path that Node puts behind it. */
function reasonOf(error: Error): string {
  return error.message.split(',')[0] ?? error.message;
}
