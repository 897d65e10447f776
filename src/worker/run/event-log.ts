import { TamisError } from '../../contract/errors.ts';
import {
  isPassing,
  withWarning,
  type EventMark,
  type LoggedEvent,
  type RunEvent,
  type Warning,
} from '../../contract/events.ts';
import type { RunDirectory } from './directory.ts';
import type { Told } from './told.ts';

/** Hears each event of a run with its number and time. */
export type OnEvent = (event: RunEvent, mark: EventMark) => void;

/**
 * Numbers what one start of a run tells, writes the events that do not pass into the run's `events.jsonl` and hands all of them on.
 * A new run tells before it has a folder: what is to be logged waits for `openIn`. What holds for many layers is told once.
 */
export class EventLog {
  readonly #onEvent: OnEvent;
  #directory: RunDirectory | null;
  readonly #waiting: { readonly at: string; readonly event: LoggedEvent }[] = [];
  #last: number;
  #warned: readonly Warning[] = [];

  /** `directory`: of a run that was begun before, whose numbers go on. */
  constructor(onEvent: OnEvent, directory: RunDirectory | null = null) {
    this.#onEvent = onEvent;
    this.#directory = directory;
    this.#last = directory?.logged ?? 0;
  }

  /** Writes what has waited into the folder of the new run, and all that follows. */
  openIn(directory: RunDirectory): void {
    for (const { at, event } of this.#waiting) directory.append(at, event);
    this.#directory = directory;
  }

  readonly emit = (event: RunEvent): void => {
    if (event.type === 'warning') {
      const warned = withWarning(this.#warned, event);
      if (warned === this.#warned) return;
      this.#warned = warned;
    }
    const at = new Date().toISOString();
    if (!isPassing(event)) this.#last = this.#write(at, event);
    this.#onEvent(event, { seq: this.#last, at });
  };

  #write(at: string, event: LoggedEvent): number {
    return this.#directory ? this.#directory.append(at, event) : this.#waiting.push({ at, event });
  }
}

/** Does the work; what ends it early is the last event in the run's log. Error cancelled {path} once the signal says so. */
export async function logFailure<T>(
  { path }: RunDirectory,
  { signal, emit }: Told,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = signal.aborted ? new TamisError('cancelled', { path }) : thrown;
    const { code, params } =
      error instanceof TamisError ? error : new TamisError('internal', { detail: String(error) });
    emitIfPossible(emit, { type: 'failed', code, params });
    throw error;
  }
}

/** A full disk takes no event either: what went wrong first is what is told. */
function emitIfPossible(emit: Told['emit'], event: RunEvent): void {
  try {
    emit(event);
  } catch {
    return;
  }
}
