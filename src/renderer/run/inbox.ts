import { withoutPassed, type TimedEvent } from '../../contract/events.ts';

/** Keeps pushed events until the next frame, and until all that was told before them is here. */
export class Inbox {
  readonly #bringIn: (events: readonly TimedEvent[], areAll: boolean) => void;
  #waiting: readonly TimedEvent[] = [];
  #isOpen = false;
  #frame = 0;
  #isClosed = false;

  /** `bringIn` gets all that the run has told (`areAll`), then what comes after it; the last of the former may come again. */
  constructor(bringIn: (events: readonly TimedEvent[], areAll: boolean) => void) {
    this.#bringIn = bringIn;
  }

  add(events: readonly TimedEvent[]): void {
    // A hidden window draws no frames: of what waits there, only the newest progress counts.
    this.#waiting = withoutPassed([...this.#waiting, ...events]);
    if (this.#isOpen && this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#flush());
  }

  open(events: readonly TimedEvent[]): void {
    if (this.#isClosed) return;
    this.#isOpen = true;
    this.#bringIn([...events, ...this.#take()], true);
  }

  close(): void {
    this.#isClosed = true;
    cancelAnimationFrame(this.#frame);
  }

  #flush(): void {
    this.#frame = 0;
    this.#bringIn(this.#take(), false);
  }

  #take(): readonly TimedEvent[] {
    const events = this.#waiting;
    this.#waiting = [];
    return events;
  }
}
