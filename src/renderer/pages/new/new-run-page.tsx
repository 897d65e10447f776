import { Loader } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import type { ReactElement } from 'react';

import type { Model } from '../../../contract/library.ts';
import { useBoot } from '../../boot.tsx';
import { FailureView } from '../../components/failure-view.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { useAsk } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';
import { NewRun } from './new-run.tsx';

const route = getRouteApi('/new');

/** One page for a whole recipe; the address may name a model, a preset, or a run whose recipe is taken over. */
export function NewRunPage(): ReactElement {
  const t = useLabel();
  const { model, from, preset } = route.useSearch();
  const { demo } = useBoot();
  const library = useAsk('library.list', null);
  const run = useAsk('runs.get', { id: from ?? 'none' }, { enabled: from !== undefined });
  const error = library.error ?? run.error;
  if (error) {
    return (
      <>
        <PageHeader title={t('app.new-run')} />
        <div className="page-body">
          <FailureView failure={error} />
        </div>
      </>
    );
  }
  if (!library.data || (from !== undefined && !run.data)) {
    return (
      <>
        <PageHeader title={t('app.new-run')} />
        <div className="page-body">
          <Loader aria-label={t('app.loading')} />
        </div>
      </>
    );
  }
  const opening = {
    model: modelOf(library.data, model, demo.model),
    preset: preset ?? null,
    recipe: run.data?.recipe ?? null,
  };
  return <NewRun key={JSON.stringify([model, from, preset])} models={library.data} opening={opening} />;
}

/** The folder of the model that the address names; without one, that of the demo. */
function modelOf(models: readonly Model[], id: string | undefined, demo: string): string | null {
  if (id !== undefined) return models.find((model) => model.id === id)?.path ?? null;
  return models.some(({ path }) => path === demo) ? demo : null;
}
