import { Checkbox, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import type { ReactElement } from 'react';

import { schedulerKinds } from '../../../contract/recipe/schedulers.ts';
import { pruningFields } from '../../../contract/recipe/fields.ts';
import { useLabel } from '../../words.tsx';
import { withScheduler } from './draft.ts';
import { FieldControls } from './field-control.tsx';
import { AmountField, Field, useForm } from './form.tsx';
import { SchedulerSettings } from './scheduler-settings.tsx';
import { Section } from '../../components/section.tsx';

const further = (Object.keys(pruningFields) as (keyof typeof pruningFields)[]).filter((name) => name !== 'method');

/** Method, pattern and targets. */
export function PruningSection(): ReactElement {
  const t = useLabel();
  const { draft, set } = useForm();
  return (
    <Section title={t('new.pruning')}>
      <div className="field-row">
        <FieldControls paths={['method']} />
        <Field name="pattern" group>
          {() => (
            <SegmentedControl
              size="xs"
              fullWidth
              aria-label={t('field.pattern')}
              data={[
                { value: 'unstructured', label: t('text.unstructured') },
                { value: 'nm', label: t('new.nm') },
              ]}
              value={draft.pattern}
              onChange={(value) => set('pattern', value)}
            />
          )}
        </Field>
      </div>
      <div className="field-row">
        {draft.pattern === 'nm' ? (
          <>
            <AmountField name="n" />
            <AmountField name="m" />
          </>
        ) : (
          <AimFields />
        )}
        <FieldControls paths={further} />
      </div>
    </Section>
  );
}

/** The target, or what it is to be found by. */
function AimFields(): ReactElement {
  const t = useLabel();
  const { draft, set } = useForm();
  const { aim } = draft;
  return (
    <>
      <Field name="aim" group>
        {() => (
          <SegmentedControl
            size="xs"
            fullWidth
            aria-label={t('new.aim')}
            data={[
              { value: 'sparsity', label: t('new.aim.sparsity') },
              { value: 'size', label: t('new.aim.size') },
              { value: 'perplexity', label: t('new.aim.perplexity') },
            ]}
            value={aim}
            onChange={(value) => set('aim', value)}
          />
        )}
      </Field>
      {aim === 'perplexity' && <AmountField name="goalPerplexity" hint={t('new.goal-perplexity-text')} />}
      {aim === 'size' && <TextField name="goalSize" hint={t('new.goal-size-text')} />}
      {aim === 'sparsity' && <TextField name="targets" hint={t('new.targets-text')} />}
    </>
  );
}

function TextField({ name, hint }: { name: 'targets' | 'goalSize'; hint: string }): ReactElement {
  const { draft, set } = useForm();
  return (
    <Field name={name} hint={hint}>
      {(tied) => <TextInput {...tied} value={draft[name]} onChange={(event) => set(name, event.currentTarget.value)} />}
    </Field>
  );
}

/** How the target is spread over the layers. */
export function SchedulerSection(): ReactElement {
  const t = useLabel();
  const { draft, set } = useForm();
  if (draft.pattern === 'nm') {
    return (
      <Section title={t('field.scheduler')}>
        <Text size="sm">{t('new.scheduler-nm')}</Text>
      </Section>
    );
  }
  return (
    <Section title={t('field.scheduler')} text={t('new.scheduler-text')}>
      <Field name="schedulers" group>
        {({ error }) => (
          <Stack gap={4}>
            <div className="checks">
              {schedulerKinds.map((kind) => (
                <Checkbox
                  key={kind}
                  size="xs"
                  label={t(`new.scheduler.${kind}`)}
                  description={t(`new.scheduler-about.${kind}`)}
                  checked={draft.schedulers.includes(kind)}
                  onChange={(event) =>
                    set('schedulers', withScheduler(draft, kind, event.currentTarget.checked ? 'in' : 'out'))
                  }
                />
              ))}
            </div>
            {error !== undefined && (
              <Text size="xs" c="var(--mantine-color-error)" role="alert">
                {error}
              </Text>
            )}
          </Stack>
        )}
      </Field>
      {draft.schedulers.map((kind) => (
        <SchedulerSettings key={kind} kind={kind} />
      ))}
    </Section>
  );
}
