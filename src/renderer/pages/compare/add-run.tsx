import { Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useState, type ReactElement } from 'react';

import { useAsk } from '../../ask/queries.ts';
import { dateAndTime, runSummary } from '../../run/run-words.ts';
import { useLabel } from '../../words.tsx';

/** So many finished runs are offered at once; typing finds the others. */
const OFFERED = 50;

/** Adds a finished run to the comparison. */
export function AddRun({ shown, onAdd }: { shown: readonly string[]; onAdd: (id: string) => void }): ReactElement {
  const t = useLabel();
  const [search, setSearch] = useState('');
  const [typed] = useDebouncedValue(search, 150);
  const { data } = useAsk(
    'runs.list',
    {
      search: typed,
      states: ['finished'],
      model: null,
      bits: [],
      sort: { column: 'createdAt', descending: true },
      offset: 0,
      limit: OFFERED,
    },
    { keepPrevious: true },
  );
  const offered = (data?.rows ?? []).filter(({ id }) => !shown.includes(id));
  const facts = new Map(
    offered.map((row) => [
      row.id,
      `${row.modelName} · ${runSummary(row, t)} · ${dateAndTime(row.createdAt).join(' ')}`,
    ]),
  );
  return (
    <Select
      aria-label={t('compare.add')}
      placeholder={t('compare.add')}
      leftSection={<IconPlus size={14} />}
      value={null}
      onChange={(id) => {
        if (id !== null) onAdd(id);
        setSearch('');
      }}
      searchable
      searchValue={search}
      onSearchChange={setSearch}
      // The main process has searched already, in notes and tags too.
      filter={({ options }) => options}
      data={offered.map(({ id, name }) => ({ value: id, label: name }))}
      renderOption={({ option }) => (
        <span className="cell-lines">
          <span>{option.label}</span>
          <small>{facts.get(option.value)}</small>
        </span>
      )}
      nothingFoundMessage={t('compare.nothing-to-add')}
      comboboxProps={{ width: 420, position: 'bottom-end' }}
      w={220}
    />
  );
}
