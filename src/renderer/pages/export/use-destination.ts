import { useState } from 'react';

import { useAct, useAsk } from '../../ask/queries.ts';

export interface Destination {
  /** Where exports go; null until it is chosen. */
  readonly folder: string | null;
  /** Left there; null while it is not known. */
  readonly freeBytes: number | null;
  /** Asks in a native dialog, and goes on with what was chosen. */
  readonly choose: (then?: (folder: string) => void) => void;
}

/** What was chosen last, on the page of any run. */
let kept: string | null = null;

export function useDestination(): Destination {
  const [folder, setFolder] = useState(kept);
  const { data } = useAsk('exports.free-bytes', { folder: folder ?? '/' }, { enabled: folder !== null });
  const { mutate } = useAct('files.choose');
  const choose: Destination['choose'] = (then) =>
    mutate(
      { purpose: 'export' },
      {
        onSuccess: ([chosen]) => {
          if (chosen === undefined) return;
          kept = chosen;
          setFolder(chosen);
          then?.(chosen);
        },
      },
    );
  return { folder, freeBytes: data ?? null, choose };
}
