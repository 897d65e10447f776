import { Button, Group, MultiSelect, Select, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { runStates } from '../../../contract/history.ts';
import { mainMeasures, type MeasureId } from '../../../contract/measures.ts';
import { bitWidths } from '../../../contract/recipe/fields.ts';
import { useAsk } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';
import type { Filter } from './use-filter.ts';

/** null = not quantized. */
const widths = [...bitWidths, null];

/** `measure`: what the list shows; there is no choice while there is one alone. */
export function FilterBar(props: {
  filter: Filter;
  measure: MeasureId;
  onMeasure: (measure: MeasureId) => void;
}): ReactElement {
  const { filter, measure, onMeasure } = props;
  const t = useLabel();
  const { data: models = [] } = useAsk('library.list', null);
  const { search, states, model, bits } = filter.values;
  return (
    <Group gap="xs" role="search">
      <TextInput
        type="search"
        value={search}
        onChange={(event) => filter.onSearch(event.currentTarget.value)}
        placeholder={t('history.search')}
        aria-label={t('history.search')}
        leftSection={<IconSearch size={14} />}
        w={260}
      />
      <MultiSelect
        value={states}
        onChange={(chosen) => filter.onStates(runStates.filter((state) => chosen.includes(state)))}
        data={runStates.map((state) => ({ value: state, label: t(`state.${state}`) }))}
        placeholder={states.length === 0 ? t('history.all-states') : ''}
        aria-label={t('history.states')}
        clearable
        miw={150}
        maw={420}
      />
      <Select
        value={model}
        onChange={filter.onModel}
        data={models.map(({ id, name }) => ({ value: id, label: name }))}
        placeholder={t('history.all-models')}
        aria-label={t('history.models')}
        clearable
        searchable
        w={200}
      />
      <MultiSelect
        value={bits.map(String)}
        onChange={(chosen) => filter.onBits(widths.filter((width) => chosen.includes(String(width))))}
        data={widths.map((width) => ({
          value: String(width),
          label: width === null ? t('history.unquantized') : t('new.bits-of', { bits: width }),
        }))}
        placeholder={bits.length === 0 ? t('history.all-bits') : ''}
        aria-label={t('history.bits')}
        clearable
        miw={130}
        maw={420}
      />
      {mainMeasures.length > 1 && (
        <Select
          value={measure}
          onChange={(chosen) => chosen !== null && onMeasure(chosen)}
          data={mainMeasures.map((id) => ({ value: id, label: t(`measure.${id}`) }))}
          aria-label={t('history.measure')}
          allowDeselect={false}
          w={150}
        />
      )}
      {filter.isSet && (
        <Button variant="subtle" onClick={filter.clear}>
          {t('history.clear-filter')}
        </Button>
      )}
    </Group>
  );
}
