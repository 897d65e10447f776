import { startTransition, useEffect, useState } from 'react';

import type { TimedEvent } from '../../contract/events.ts';
import { applyEvents, emptyView, type RunView } from '../../contract/run-view.ts';
import { ask, listen } from '../bridge.ts';

/** So many of a run's last events can still be on their way as pushes when the page asks for all of them. */
const MAY_COME_AGAIN = 500;

interface LiveRun {
  /** null = not here yet. */
  readonly view: RunView | null;
  readonly error: Error | null;
}

/** What a run has told, and tells while the page is open: brought in at most once a frame, and never in the way of input. */
export function useLiveRun(id: string): LiveRun {
  const [live, setLive] = useState<LiveRun>({ view: null, error: null });
  useEffect(() => {
    const bringIn = (events: readonly TimedEvent[]): void =>
      startTransition(() => setLive(({ view }) => ({ view: applyEvents(view ?? emptyView, events), error: null })));
    const inbox = new Inbox(bringIn);
    const stopListening = listen('run.events', (push) => {
      if (push.id === id) inbox.add(push.events);
    });
    ask('runs.events', { id }).then(
      (events) => inbox.open(events),
      (error: unknown) => setLive({ view: null, error: error instanceof Error ? error : new Error(String(error)) }),
    );
    return () => {
      stopListening();
      inbox.close();
    };
  }, [id]);
  return live;
}

/** Keeps pushed events until the next frame, and until all that was told before them is here. */
class Inbox {
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
    const isProgress = ({ event }: TimedEvent): boolean => event.type === 'progress';
    this.#waiting = [
      ...(events.some(isProgress) ? this.#waiting.filter((one) => !isProgress(one)) : this.#waiting),
      ...events,
    ];
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
