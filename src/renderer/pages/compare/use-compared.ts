import { useQueries } from '@tanstack/react-query';

import type { RunRow } from '../../../contract/history.ts';
import type { Report } from '../../../contract/report.ts';
import { ask } from '../../ask/bridge.ts';

/** A run of the comparison. `letter` stands for it in pictures. */
export interface Compared {
  readonly row: RunRow;
  readonly report: Report;
  readonly letter: string;
}

interface Comparison {
  readonly runs: readonly Compared[];
  readonly failures: readonly Error[];
  /** Runs without a report: nothing of them can be compared. */
  readonly unfinished: readonly RunRow[];
  readonly isLoading: boolean;
}

/** The runs with these ids, in their order. */
export function useCompared(ids: readonly string[]): Comparison {
  const answers = useQueries({
    queries: ids.map((id) => ({ queryKey: ['runs.get', { id }], queryFn: () => ask('runs.get', { id }) })),
  });
  const known = answers.flatMap(({ data }) => data ?? []);
  const finished = known.flatMap(({ row, report }) => (report ? [{ row, report }] : []));
  return {
    runs: finished.map((run, i) => ({ ...run, letter: letterOf(i) })),
    failures: answers.flatMap(({ error }) => error ?? []),
    unfinished: known.flatMap(({ row, report }) => (report ? [] : [row])),
    isLoading: answers.some(({ isPending }) => isPending),
  };
}

/** A, B, … Z, A2, B2, … */
function letterOf(index: number): string {
  const round = Math.floor(index / 26);
  return `${String.fromCharCode(65 + (index % 26))}${round === 0 ? '' : round + 1}`;
}
