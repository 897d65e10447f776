import { Badge, Loader, Text, Tooltip } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { bytes, whole } from '../../../contract/format.ts';
import type { Model, ModelHead } from '../../../contract/library.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import type { Column } from '../../components/data-table-parts.ts';
import { LinkButton } from '../../components/link-button.tsx';
import { LinkAnchor } from '../../components/links.tsx';
import { useLabel } from '../../words.tsx';
import { LocateButton, ModelMenu } from './model-actions.tsx';
import { parametersShort } from './parameters.ts';

type Head = <T>(read: (head: ModelHead) => T) => (model: Model) => T | null;

const head: Head = (read) => (model) => (model.state.kind === 'ready' ? read(model.state.head) : null);

/** What the list of models says of each. */
export function modelColumns(t: Label): readonly Column<Model>[] {
  const text = (id: string, header: string, width: string, read: (of: ModelHead) => string): Column<Model> => ({
    id,
    header,
    width,
    sort: head(read),
    cell: head(read),
  });
  const number = (
    id: string,
    header: string,
    width: string,
    read: (of: ModelHead) => number,
    write: (value: number) => string,
  ): Column<Model> => ({
    id,
    header,
    width,
    numeric: true,
    sort: head(read),
    cell: head((of) => write(read(of))),
  });
  return [
    {
      id: 'name',
      header: t('models.name'),
      width: 'minmax(190px, 3fr)',
      sort: ({ name }) => name,
      cell: (model) => <NameCell model={model} />,
    },
    text('family', t('field.family'), 'minmax(78px, 0.5fr)', ({ family }) => family),
    number('parameters', t('field.parameters'), '116px', ({ parameters }) => parameters, parametersShort),
    text('dtype', t('field.dtype'), '92px', ({ dtype }) => dtype),
    number('bytes', t('models.size'), '96px', (of) => of.bytes, bytes),
    number('blocks', t('field.blocks'), '82px', ({ blocks }) => blocks, whole),
    number('layers', t('field.layers'), '82px', ({ layers }) => layers, whole),
    {
      id: 'runs',
      header: t('models.runs'),
      width: '72px',
      numeric: true,
      sort: ({ runs }) => runs,
      cell: (model) => <RunsCell model={model} />,
    },
    { id: 'actions', header: t('models.actions'), width: '166px', cell: (model) => <ActionsCell model={model} /> },
  ];
}

function NameCell({ model }: { model: Model }): ReactElement {
  const t = useLabel();
  const { id, name, path, demo } = model;
  return (
    <div className="cut">
      <div className="model-name">
        <LinkAnchor to="/models/$id" params={{ id }} size="sm" fw={600} className="cut">
          {name}
        </LinkAnchor>
        {demo && (
          <Badge size="xs" variant="light">
            {t('models.demo')}
          </Badge>
        )}
        <StateBadge model={model} />
      </div>
      <Tooltip label={path} multiline maw={600} position="bottom-start">
        <div className="path cut faint-text">{path}</div>
      </Tooltip>
    </div>
  );
}

function StateBadge({ model: { state } }: { model: Model }): ReactElement | null {
  const t = useLabel();
  if (state.kind === 'reading') return <Loader size={12} aria-label={t('models.reading')} />;
  if (state.kind === 'ready') return null;
  return (
    <Badge size="xs" color="red" variant="light">
      {state.kind === 'missing' ? t('models.missing') : t('models.refused')}
    </Badge>
  );
}

function RunsCell({ model: { id, runs } }: { model: Model }): ReactElement {
  const t = useLabel();
  if (runs === 0)
    return (
      <Text size="sm" c="dimmed">
        0
      </Text>
    );
  return (
    <LinkAnchor to="/history" search={{ model: id }} size="sm" aria-label={t('models.runs-of', { runs })}>
      {whole(runs)}
    </LinkAnchor>
  );
}

function ActionsCell({ model }: { model: Model }): ReactElement {
  const t = useLabel();
  return (
    <div className="row-actions">
      {model.state.kind === 'missing' ? (
        <LocateButton model={model} />
      ) : (
        <LinkButton
          to="/new"
          search={{ model: model.id }}
          size="compact-sm"
          leftSection={<IconPlayerPlay size={13} />}
          disabled={model.state.kind !== 'ready'}
          aria-label={t('search.compress', { name: model.name })}
        >
          {t('models.compress')}
        </LinkButton>
      )}
      <ModelMenu model={model} />
    </div>
  );
}
