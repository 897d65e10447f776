import type { Progress } from '../contract/bridge.ts';
import { describe } from '../contract/describe.ts';
import { TamisError } from '../contract/errors.ts';
import type { RunEvent } from '../contract/events.ts';
import type { ExportStage } from '../contract/exports.ts';
import type { PullProgress } from '../contract/hub.ts';
import type { Locale } from '../contract/messages/index.ts';
import { ProgressView } from './progress-view.ts';

/** The language of messages, from the environment like any command line program's. */
export function locale(): Locale {
  const language = process.env['LC_ALL'] ?? process.env['LC_MESSAGES'] ?? process.env['LANG'] ?? '';
  return /^zh[_-]TW/i.test(language) ? 'zh-TW' : 'en';
}

export interface Acting {
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
  /** Hears how far an export is. */
  readonly onProgress: (stage: ExportStage, progress: Progress) => void;
  readonly onPull: (progress: PullProgress) => void;
  /** Bytes of the CUDA provider so far. */
  readonly onFetch: (bytes: number) => void;
}

/**
 * Does a command's work: progress on standard error, Ctrl+C cancels (twice: at once), and whatever is thrown becomes one sentence
 * and an exit code.
 */
export async function act(work: (acting: Acting) => Promise<void>): Promise<void> {
  const abort = new AbortController();
  const view = new ProgressView(locale());
  const cancel = (): void => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort();
  };
  process.on('SIGINT', cancel).on('SIGTERM', cancel);
  try {
    await work({
      signal: abort.signal,
      onEvent: (event) => {
        view.show(event);
      },
      onProgress: (stage, progress) => {
        view.showExport(stage, progress);
      },
      onPull: (progress) => {
        view.showPull(progress);
      },
      onFetch: (bytes) => {
        view.showFetch(bytes);
      },
    });
    view.close();
  } catch (error) {
    view.close();
    process.stderr.write(`tamis: ${describe(cancelledOr(error, abort.signal), locale())}\n`);
    process.exitCode = exitCode(error, abort.signal.aborted);
    if (process.exitCode === 70 && process.env['TAMIS_DEBUG']) console.error(error);
  } finally {
    process.off('SIGINT', cancel).off('SIGTERM', cancel);
  }
}

/** A run, a search and a pull say themselves that they were cancelled and how they can be continued; anything else just ends. */
function cancelledOr(error: unknown, { aborted }: AbortSignal): unknown {
  const canGoOn =
    error instanceof TamisError &&
    ((error.code === 'cancelled' && 'path' in error.params) ||
      error.code === 'cancelled.pull' ||
      error.code === 'cancelled.fit');
  return aborted && !canGoOn ? new TamisError('cancelled.no-run') : error;
}

function exitCode(error: unknown, cancelled: boolean): number {
  if (cancelled) return 130;
  return error instanceof TamisError && error.code !== 'internal' ? 1 : 70;
}

/** A result on standard output: as a person's text, or as JSON. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 1));
}
