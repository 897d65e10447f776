import { withoutPassed, type TimedEvent } from '../../contract/events.ts';

/** So many of a run's last events can still be on their way as pushes when the page asks for all of them. */
const MAY_COME_AGAIN = 500;

/** Keeps pushed events until the next frame, and until all that was told before them is here. */
export class Inbox {
  readonly #bringIn: (events: readonly TimedEvent[]) => void;
  #waiting: TimedEvent[] = [];
  /** The end of what was told before, as text; null while it is not here. */
  #known: ReadonlySet<string> | null = null;
  #frame = 0;
  #isClosed = false;

  constructor(bringIn: (events: readonly TimedEvent[]) => void) {
    this.#bringIn = bringIn;
  }

  add(events: readonly TimedEvent[]): void {
    // A hidden window draws no frames: of what waits there, only the newest progress counts.
    this.#waiting = withoutPassed([...this.#waiting, ...events]);
    if (this.#known !== null && this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#flush());
  }

  open(events: readonly TimedEvent[]): void {
    if (this.#isClosed) return;
    this.#known = new Set(events.slice(-MAY_COME_AGAIN).map((event) => JSON.stringify(event)));
    this.#bringIn(events);
    this.#flush();
  }

  close(): void {
    this.#isClosed = true;
    cancelAnimationFrame(this.#frame);
  }

  #flush(): void {
    this.#frame = 0;
    const events = this.#waiting.filter((event) => !this.#known?.has(JSON.stringify(event)));
    this.#waiting = [];
    if (events.length > 0) this.#bringIn(events);
  }
}
