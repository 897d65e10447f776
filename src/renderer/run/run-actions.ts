import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import { bytes } from '../../contract/format.ts';
import type { RunRow, RunState } from '../../contract/history.ts';
import { ask } from '../ask/bridge.ts';
import { useConfirm } from '../components/confirm.tsx';
import { showFailure } from '../ask/failure-notification.tsx';
import { useAct } from '../ask/queries.ts';
import { useLabel, useLocale } from '../words.tsx';

type Asked = 'pause' | 'cancel' | 'resume';

export interface RunControl {
  /** What was asked for and has not happened yet. */
  readonly pending: Asked | null;
  readonly pause: () => void;
  /** Asks first: work on the block under way is lost. */
  readonly cancel: () => Promise<void>;
  readonly resume: () => void;
}

/** Pause, cancel and resume of a run. Each takes until the run gets to it, which its row tells. */
export function useRunControl({ id, name, state }: Pick<RunRow, 'id' | 'name' | 'state'>): RunControl {
  const t = useLabel();
  const confirm = useConfirm();
  const [asked, setAsked] = useState<{ what: Asked; while: RunState } | null>(null);
  const pause = useAct('runs.pause');
  const cancel = useAct('runs.cancel');
  const resume = useAct('runs.resume');
  const request = (what: Asked): void => {
    setAsked({ what, while: state });
    ({ pause, cancel, resume })[what].mutate({ id }, { onError: () => setAsked(null) });
  };
  return {
    pending: asked?.while === state ? asked.what : null,
    pause: () => request('pause'),
    resume: () => request('resume'),
    cancel: async () => {
      const text = t(state === 'queued' ? 'run.cancel-queued-text' : 'run.cancel-text', { name });
      const answers = { yes: t('run.cancel'), no: t('run.keep') };
      if (await confirm({ title: t('run.cancel-title'), text, ...answers, danger: true })) request('cancel');
    },
  };
}

/** Has a run's folder chosen, puts it into the history and goes to it. */
export function useImportRun(): { readonly isPending: boolean; readonly importRun: () => void } {
  const navigate = useNavigate();
  const { isPending, mutate } = useAct('runs.import');
  const onSuccess = (row: RunRow | null): void => {
    if (row) void navigate({ to: '/runs/$id', params: { id: row.id } });
  };
  return { isPending, importRun: () => mutate(null, { onSuccess }) };
}

/** Starts a new run of a run's recipe and goes to it. */
export function useRunAgain(): { readonly isPending: boolean; readonly runAgain: (row: RunRow) => Promise<void> } {
  const navigate = useNavigate();
  const locale = useLocale();
  const [isPending, setIsPending] = useState(false);
  const runAgain = async ({ id, name }: RunRow): Promise<void> => {
    setIsPending(true);
    try {
      const { recipe } = await ask('runs.get', { id });
      const [started] = await ask('runs.start', { name, recipes: [recipe] });
      if (started !== undefined) await navigate({ to: '/runs/$id', params: { id: started } });
    } catch (error) {
      showFailure(error, locale);
    } finally {
      setIsPending(false);
    }
  };
  return { isPending, runAgain };
}

/** Says what deleting runs frees, asks, and deletes them; true if it was done. */
export function useDeleteRuns(): (runs: readonly Pick<RunRow, 'id' | 'name'>[]) => Promise<boolean> {
  const t = useLabel();
  const locale = useLocale();
  const confirm = useConfirm();
  return async (runs) => {
    const ids = runs.map(({ id }) => id);
    const [first] = runs;
    if (first === undefined) return false;
    try {
      const size = bytes(await ask('runs.size', { ids }));
      const text =
        runs.length === 1
          ? t('run.delete-text', { name: first.name, size })
          : t('run.delete-many-text', { runs: runs.length, size });
      if (!(await confirm({ title: t('run.delete-title'), text, yes: t('run.delete-yes'), danger: true })))
        return false;
      await ask('runs.delete', { ids });
      return true;
    } catch (error) {
      showFailure(error, locale);
      return false;
    }
  };
}
