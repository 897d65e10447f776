import { Button, Group, Input, Select, Title } from '@mantine/core';
import { IconFile } from '@tabler/icons-react';
import type { ReactElement, ReactNode } from 'react';

import { estimateKinds } from '../../../contract/recipe/schedulers.ts';
import { useAct } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';
import type { SchedulerKind } from './draft.ts';
import { AmountField, Field, useForm } from './form.tsx';

/** The settings of one kind of scheduler; uniform has none. */
export function SchedulerSettings({ kind }: { kind: SchedulerKind }): ReactElement | null {
  const t = useLabel();
  const settings: Readonly<Record<SchedulerKind, ReactNode>> = {
    auto: null,
    uniform: null,
    allocate: <AmountField name="allocateRange" hint={t('new.allocate-range-text')} />,
    kmeans: <KmeansSettings />,
    owl: (
      <>
        <AmountField name="lambda" step={0.01} />
        <AmountField name="owlM" />
      </>
    ),
    alpha: <AmountField name="epsilon" step={0.05} />,
    atp: <AmountField name="beta" step={0.001} placeholder={t('new.beta-default')} />,
    file: <SparsitiesFile />,
  };
  if (settings[kind] === null) return null;
  return (
    <div className="scheduler-settings" role="group" aria-label={t(`new.scheduler.${kind}`)}>
      <Title order={3} size="h6">
        {t(`new.scheduler.${kind}`)}
      </Title>
      <div className="field-row">{settings[kind]}</div>
    </div>
  );
}

/** What the family decides until something is chosen. */
const family = 'family';

function KmeansSettings(): ReactElement {
  const t = useLabel();
  const { draft, set } = useForm();
  return (
    <>
      <Field name="estimate">
        {(tied) => (
          <Select
            {...tied}
            data={[
              { value: family, label: t('new.by-family') },
              ...estimateKinds.map((value) => ({ value, label: t(`new.estimate.${value}`) })),
            ]}
            value={draft.estimate ?? family}
            onChange={(value) => set('estimate', estimateKinds.find((kind) => kind === value) ?? null)}
            allowDeselect={false}
          />
        )}
      </Field>
      <AmountField name="groups" placeholder={t('new.by-family')} hint={t('new.groups-text')} />
      <Field name="mapping">
        {(tied) => (
          <Select
            {...tied}
            data={[
              { value: family, label: t('new.by-family') },
              { value: 'power', label: t('new.mapping.power') },
              { value: 'linear', label: t('new.mapping.linear') },
            ]}
            value={draft.mapping ?? family}
            onChange={(value) => set('mapping', value === 'power' || value === 'linear' ? value : null)}
            allowDeselect={false}
          />
        )}
      </Field>
      {draft.mapping !== 'linear' && <AmountField name="power" step={0.05} placeholder="0.2" />}
      {draft.mapping !== 'power' && <AmountField name="range" placeholder="10" />}
      <AmountField name="min" />
      <AmountField name="max" />
    </>
  );
}

function SparsitiesFile(): ReactElement {
  const t = useLabel();
  const { draft, set } = useForm();
  const { mutate: choose } = useAct('files.choose');
  return (
    <Field name="sparsities" hint={t('new.sparsities-text')} group>
      {({ id, error }) => (
        <>
          <Group gap="xs" wrap="nowrap">
            <Button
              id={id}
              variant="default"
              leftSection={<IconFile size={14} />}
              onClick={() =>
                choose(
                  { purpose: 'sparsities' },
                  { onSuccess: ([path]) => path !== undefined && set('sparsities', path) },
                )
              }
            >
              {t('new.choose-file')}
            </Button>
            <span className="path cut">{draft.sparsities}</span>
          </Group>
          {error !== undefined && <Input.Error role="alert">{error}</Input.Error>}
        </>
      )}
    </Field>
  );
}
