import { Select, TextInput } from '@mantine/core';
import type { ReactElement } from 'react';

import { bytes } from '../../../contract/format.ts';
import type { Model } from '../../../contract/library.ts';
import { presetIds, type PresetId } from './presets.ts';
import { nameOfPath } from './recipe-command.ts';
import { machineFields } from '../../../contract/recipe/fields.ts';
import { GpuSelect } from '../../components/gpu-select.tsx';
import { useLabel } from '../../words.tsx';
import { FieldControls } from './field-control.tsx';
import { Field, useForm } from './form.tsx';
import { Section } from '../../components/section.tsx';

interface ModelSectionProps {
  readonly models: readonly Model[];
  readonly onModel: (path: string) => void;
  readonly preset: PresetId;
  readonly onPreset: (preset: PresetId) => void;
  readonly name: string;
  readonly onName: (name: string) => void;
}

/** What is compressed, from which preset, and what the run is called. */
export function ModelSection(props: ModelSectionProps): ReactElement {
  const { models, onModel, preset, onPreset, name, onName } = props;
  const t = useLabel();
  const { draft } = useForm();
  const ready = models.flatMap((model) =>
    model.state.kind === 'ready'
      ? [{ value: model.path, label: `${model.name} (${model.state.head.family}, ${bytes(model.state.head.bytes)})` }]
      : [],
  );
  const listed = draft.model === '' || ready.some(({ value }) => value === draft.model);
  return (
    <Section title={t('new.what')}>
      <Field name="model">
        {(tied) => (
          <Select
            {...tied}
            data={listed ? ready : [...ready, { value: draft.model, label: nameOfPath(draft.model) }]}
            value={draft.model === '' ? null : draft.model}
            onChange={(value) => value !== null && onModel(value)}
            placeholder={t('new.choose-model')}
            allowDeselect={false}
            searchable
          />
        )}
      </Field>
      <div className="field-row">
        <Select
          label={t('new.preset')}
          data={presetIds.map((value) => ({ value, label: t(`new.preset.${value}`) }))}
          value={preset}
          onChange={(value) => value && onPreset(value)}
          allowDeselect={false}
        />
        <TextInput
          label={t('new.name')}
          placeholder={t('new.name-default')}
          value={name}
          maxLength={200}
          onChange={(event) => onName(event.currentTarget.value)}
        />
      </div>
    </Section>
  );
}

/** Where it runs, and how much of it. */
export function MachineSection(): ReactElement {
  const t = useLabel();
  const { draft, set } = useForm();
  const gpu = (
    <Field key="gpu" name="gpu" hint={t('new.gpu-text')}>
      {(tied) => <GpuSelect {...tied} value={draft.gpu} onChange={(value) => set('gpu', value)} />}
    </Field>
  );
  return (
    <Section title={t('new.machine')}>
      <div className="field-row">
        <FieldControls paths={Object.keys(machineFields) as (keyof typeof machineFields)[]} drawn={{ gpu }} />
      </div>
    </Section>
  );
}
