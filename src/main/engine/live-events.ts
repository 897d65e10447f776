import { isPassing, type TimedEvent } from '../../contract/events.ts';

/** Keeps what the live process of a run has told since it was started. */
export class LiveEvents {
  readonly #logged: TimedEvent[] = [];
  /** The newest of each kind that passes. */
  readonly #passing = new Map<string, TimedEvent>();

  add(events: readonly TimedEvent[]): void {
    for (const timed of events) {
      if (isPassing(timed.event)) this.#passing.set(timed.event.type, timed);
      else this.#logged.push(timed);
    }
  }

  /** All that the run has told, each event once and in order: its log as it was just read, and what was not in it yet. */
  after(log: readonly TimedEvent[]): TimedEvent[] {
    const last = log.at(-1)?.seq ?? 0;
    const missing = this.#logged.filter(({ seq }) => seq > last);
    return [...log, ...missing, ...this.#passing.values()].sort((one, other) => one.seq - other.seq);
  }
}
