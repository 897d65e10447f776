import { Button, Checkbox, Group, Progress, Text, TextInput } from '@mantine/core';
import { IconSearch, IconSum } from '@tabler/icons-react';
import { useMemo, useState, type ReactElement } from 'react';

import { bytes, percent, whole } from '../../../contract/format.ts';
import type { TensorHead } from '../../../contract/library.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { DataTable } from '../../components/data-table.tsx';
import type { Column } from '../../components/data-table-parts.ts';
import { EmptyState } from '../../components/empty-state.tsx';
import { FailureView } from '../../components/failure-view.tsx';
import { useAct, useAsk, usePush } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';

type Zeros = ReadonlyMap<string, number>;

const keyOf = ({ name }: TensorHead): string => name;
const none: readonly TensorHead[] = [];

/** All tensors of a model; their zeros are counted on request. */
export function TensorsTable({ id }: { id: string }): ReactElement {
  const t = useLabel();
  const { data: tensors = none, error, isPending } = useAsk('library.tensors', { id });
  const { zeros, count, isCounting } = useZeros(id);
  const [search, setSearch] = useState('');
  const [prunedOnly, setPrunedOnly] = useState(false);
  const columns = useMemo(() => columnsOf(t, zeros), [t, zeros]);
  const rows = useMemo(() => {
    const wanted = search.trim().toLowerCase();
    return tensors.filter(({ name, layer }) => (layer || !prunedOnly) && name.toLowerCase().includes(wanted));
  }, [tensors, search, prunedOnly]);
  if (error) return <FailureView failure={error} />;
  return (
    <>
      <Group gap="sm">
        <TextInput
          w={300}
          leftSection={<IconSearch size={14} />}
          placeholder={t('tensors.search')}
          aria-label={t('tensors.search')}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        <Checkbox
          size="xs"
          label={t('tensors.pruned-only')}
          checked={prunedOnly}
          onChange={(event) => setPrunedOnly(event.currentTarget.checked)}
        />
        <Text size="sm" c="dimmed" role="status">
          {t('tensors.shown', { shown: whole(rows.length), all: whole(tensors.length) })}
        </Text>
        <Group gap="sm" ml="auto">
          <Counted tensors={tensors} zeros={zeros} isCounting={isCounting} />
          <Button variant="default" leftSection={<IconSum size={14} />} loading={isCounting} onClick={count}>
            {t('tensors.count')}
          </Button>
        </Group>
      </Group>
      {!isPending && (
        <DataTable
          label={t('models.tensors')}
          columns={columns}
          rows={rows}
          keyOf={keyOf}
          rowHeight={28}
          empty={<EmptyState icon={<IconSearch size={32} />} title={t('tensors.none')} text={t('tensors.none-text')} />}
        />
      )}
    </>
  );
}

/** Zeros by tensor, filled in as they are counted. */
function useZeros(id: string): { zeros: Zeros; count: () => void; isCounting: boolean } {
  const [zeros, setZeros] = useState<Zeros>(new Map());
  const { mutate, isPending } = useAct('library.count-zeros');
  usePush('library.zeros', (told) => {
    if (told.id !== id) return;
    setZeros((before) => new Map([...before, ...told.zeros.map((one) => [one.name, one.zeros] as const)]));
  });
  return { zeros, count: () => mutate({ id }), isCounting: isPending };
}

function Counted(props: { tensors: readonly TensorHead[]; zeros: Zeros; isCounting: boolean }): ReactElement | null {
  const { tensors, zeros, isCounting } = props;
  const t = useLabel();
  const total = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const counted = tensors.filter(({ name }) => zeros.has(name));
  const done = counted.reduce((sum, tensor) => sum + tensor.bytes, 0);
  if (isCounting) {
    const share = total === 0 ? 0 : (100 * done) / total;
    return <Progress w={160} value={share} aria-label={t('tensors.counting')} />;
  }
  const pruned = counted.filter(({ layer }) => layer);
  if (pruned.length === 0) return null;
  const elements = pruned.reduce((sum, tensor) => sum + tensor.elements, 0);
  const zero = pruned.reduce((sum, { name }) => sum + (zeros.get(name) ?? 0), 0);
  return (
    <Text size="sm" role="status">
      {t('tensors.counted', { share: percent(zero / elements, 2) })}
    </Text>
  );
}

function columnsOf(t: Label, zeros: Zeros): readonly Column<TensorHead>[] {
  const share = ({ name, elements }: TensorHead): number | null => {
    const count = zeros.get(name);
    return count === undefined ? null : count / elements;
  };
  return [
    {
      id: 'name',
      header: t('tensors.name'),
      width: 'minmax(330px, 1fr)',
      sort: ({ name }) => name,
      cell: ({ name }) => <span className="mono">{name}</span>,
    },
    {
      id: 'layer',
      header: t('tensors.pruned'),
      width: '84px',
      sort: ({ layer }) => (layer ? 1 : 0),
      cell: ({ layer }) => (layer ? t('app.yes') : ''),
    },
    {
      id: 'shape',
      header: t('tensors.shape'),
      width: '128px',
      numeric: true,
      sort: ({ elements }) => elements,
      cell: ({ shape }) => shape.map(whole).join(' × '),
    },
    { id: 'dtype', header: t('field.dtype'), width: '84px', sort: ({ dtype }) => dtype, cell: ({ dtype }) => dtype },
    {
      id: 'bytes',
      header: t('tensors.bytes'),
      width: '92px',
      numeric: true,
      sort: (tensor) => tensor.bytes,
      cell: (tensor) => bytes(tensor.bytes),
    },
    {
      id: 'zeros',
      header: t('tensors.zeros'),
      width: '104px',
      numeric: true,
      sort: ({ name }) => zeros.get(name) ?? null,
      cell: ({ name }) => written(zeros.get(name) ?? null, whole),
    },
    {
      id: 'sparsity',
      header: t('tensors.share'),
      width: '92px',
      numeric: true,
      sort: share,
      cell: (tensor) => written(share(tensor), (value) => `${percent(value, 2)} %`),
    },
  ];
}

function written(value: number | null, write: (value: number) => string): string {
  return value === null ? '–' : write(value);
}
