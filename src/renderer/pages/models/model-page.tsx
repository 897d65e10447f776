import { Loader } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { getRouteApi } from '@tanstack/react-router';
import type { ReactElement } from 'react';

import { bytes, whole } from '../../../contract/format.ts';
import type { Model, ModelHead } from '../../../contract/library.ts';
import { errorOf } from '../../../contract/failure.ts';
import { TamisError } from '../../../contract/errors.ts';
import { FailureView } from '../../components/failure-view.tsx';
import { LinkButton } from '../../components/link-button.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { useAsk } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';
import { LocateButton, ModelMenu } from './model-actions.tsx';
import { TensorsTable } from './tensors-table.tsx';

const route = getRouteApi('/models/$id');

/** A model, opened to its tensors. */
export function ModelPage(): ReactElement {
  const t = useLabel();
  const { id } = route.useParams();
  const { data: models, error } = useAsk('library.list', null);
  const model = models?.find((each) => each.id === id);
  if (!model) {
    return (
      <>
        <PageHeader title={t('field.model')} />
        <div className="page-body">
          {models || error ? (
            <FailureView failure={error ?? new TamisError('model.unknown')} />
          ) : (
            <Loader aria-label={t('app.loading')} />
          )}
        </div>
      </>
    );
  }
  return (
    <>
      <PageHeader title={model.name} detail={<span className="path">{model.path}</span>}>
        {model.state.kind === 'missing' && <LocateButton model={model} />}
        {model.state.kind === 'ready' && (
          <LinkButton to="/new" search={{ model: id }} leftSection={<IconPlayerPlay size={14} />}>
            {t('models.compress')}
          </LinkButton>
        )}
        <ModelMenu model={model} />
      </PageHeader>
      <ModelBody model={model} />
    </>
  );
}

function ModelBody({ model: { id, state } }: { model: Model }): ReactElement {
  const t = useLabel();
  if (state.kind === 'ready') {
    return (
      <div className="page-fill">
        <HeadFacts head={state.head} />
        <TensorsTable key={id} id={id} />
      </div>
    );
  }
  return (
    <div className="page-body">
      {state.kind === 'reading' && <Loader aria-label={t('models.reading')} />}
      {state.kind === 'missing' && <p>{t('models.missing-text')}</p>}
      {state.kind === 'refused' && <FailureView failure={errorOf(state.failure)} />}
    </div>
  );
}

function HeadFacts({ head }: { head: ModelHead }): ReactElement {
  const t = useLabel();
  const facts = [
    [t('field.family'), head.family],
    [t('field.parameters'), whole(head.parameters)],
    [t('field.dtype'), head.dtype],
    [t('models.size'), bytes(head.bytes)],
    [t('field.blocks'), whole(head.blocks)],
    [t('models.pruned-layers'), whole(head.layers)],
    [t('models.hidden'), whole(head.hidden)],
    [t('models.vocab'), whole(head.vocab)],
    [t('models.seqlen'), whole(head.maxSeqlen)],
  ] as const;
  return (
    <dl className="model-facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
