import { Input, Stack, Text } from '@mantine/core';
import type { ReactElement } from 'react';

import { nameOfPath } from './recipe-command.ts';
import { corpusPaths } from '../../../contract/words.ts';
import { useBoot } from '../../boot.tsx';
import { useLabel } from '../../words.tsx';
import { withDatasets, withoutPath, withPaths } from './corpora.ts';
import { DataItem, DataPicker } from './data-picker.tsx';
import { demoCalibration, demoDataset } from './draft.ts';
import { FieldControls } from './field-control.tsx';
import { pathsOf } from './fields.ts';
import { Field, useForm } from './form.tsx';
import { Section } from '../../components/section.tsx';

export function CalibrationSection(): ReactElement {
  const t = useLabel();
  const { demo } = useBoot();
  const { draft, set } = useForm();
  const corpus = draft['calibration.corpus'];
  const paths = corpus ? corpusPaths(corpus) : [];
  return (
    <Section title={t('new.calibration')} text={t('new.calibration-text')}>
      <Field name="calibration.corpus" group>
        {({ id, error }) => (
          <Stack gap={6}>
            {paths.map((path) => (
              <DataItem
                key={path}
                name={path === demo.calibration ? t('new.demo-texts') : nameOfPath(path)}
                path={path}
                onRemove={() => set('calibration.corpus', corpus && withoutPath(corpus, path))}
              />
            ))}
            <DataPicker
              id={id}
              label={t('new.add-data')}
              onChoose={(purpose, chosen) => set('calibration.corpus', withPaths(corpus, purpose, chosen))}
              onDemo={paths.includes(demo.calibration) ? null : () => set('calibration.corpus', demoCalibration(demo))}
            />
            {error !== undefined && <Input.Error role="alert">{error}</Input.Error>}
          </Stack>
        )}
      </Field>
      <div className="field-row">
        <FieldControls paths={pathsOf('calibration')} />
      </div>
    </Section>
  );
}

export function EvaluationSection(): ReactElement {
  const t = useLabel();
  const { demo } = useBoot();
  const { draft, set } = useForm();
  const datasets = draft['evaluation.datasets'];
  const hasDemo = datasets.some(({ corpus }) => corpusPaths(corpus).includes(demo.evaluation));
  return (
    <Section title={t('new.evaluation')} text={t('new.evaluation-text')}>
      <Field name="evaluation.datasets" group>
        {({ id, error }) => (
          <Stack gap={6}>
            {datasets.length === 0 && (
              <Text size="xs" c="dimmed">
                {t('new.no-datasets')}
              </Text>
            )}
            {datasets.map(({ name, corpus }, index) => (
              <DataItem
                key={index}
                name={name}
                path={corpusPaths(corpus).join(', ')}
                onRemove={() => set('evaluation.datasets', datasets.toSpliced(index, 1))}
              />
            ))}
            <DataPicker
              id={id}
              label={t('new.add-data')}
              onChoose={(purpose, paths) => set('evaluation.datasets', [...withDatasets(datasets, purpose, paths)])}
              onDemo={hasDemo ? null : () => set('evaluation.datasets', [...datasets, demoDataset(demo)])}
            />
            {error !== undefined && <Input.Error role="alert">{error}</Input.Error>}
          </Stack>
        )}
      </Field>
      <div className="field-row">
        <FieldControls paths={pathsOf('evaluation')} />
      </div>
    </Section>
  );
}
