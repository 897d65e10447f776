import { startTransition, useEffect, useState } from 'react';

import type { RunRow } from '../../contract/history.ts';
import { applyEvents, emptyView, type RunView } from './run-view.ts';
import { ask, listen } from '../ask/bridge.ts';
import { Inbox } from './inbox.ts';

interface LiveRun {
  /** null = not here yet. */
  readonly view: RunView | null;
  readonly error: Error | null;
}

/**
 * What a run has told, and tells while the page is open: brought in at most once a frame, and never in the way of input. All of it
 * is asked for again when the run's state changes: the last that a process told before its kill is in the run's log alone.
 */
export function useLiveRun({ id, state }: Pick<RunRow, 'id' | 'state'>): LiveRun {
  const [live, setLive] = useState<LiveRun>({ view: null, error: null });
  useEffect(() => {
    const inbox = new Inbox((events, areAll) =>
      startTransition(() =>
        setLive(({ view }) => ({
          view: applyEvents(areAll || view === null ? emptyView : view, events),
          error: null,
        })),
      ),
    );
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
  }, [id, state]);
  return live;
}
