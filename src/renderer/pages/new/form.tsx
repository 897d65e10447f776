import { ActionIcon, Checkbox, Group, Input, NumberInput, Tooltip } from '@mantine/core';
import { IconArrowBackUp } from '@tabler/icons-react';
import { createContext, use, useId, type ReactElement, type ReactNode } from 'react';

import { useLabel } from '../../words.tsx';
import type { Draft, FieldName } from './draft.ts';
import type { Amount } from './fields.ts';
import { labelOf } from './labels.ts';
import type { FieldErrors } from './recipes.ts';

/** The fields of the page and what is known of each. */
export interface Form {
  readonly draft: Draft;
  readonly errors: FieldErrors;
  /** Fields that differ from the preset's. */
  readonly changed: ReadonlySet<FieldName>;
  readonly set: <K extends FieldName>(name: K, value: Draft[K]) => void;
  /** Gives a field the preset's value back. */
  readonly reset: (name: FieldName) => void;
}

const FormContext = createContext<Form | null>(null);
export const FormProvider = FormContext;

export function useForm(): Form {
  const form = use(FormContext);
  if (form === null) throw new Error('useForm outside of FormProvider');
  return form;
}

/** Ties a control to its label and its error. */
export interface Tied {
  readonly id: string;
  readonly error: string | undefined;
}

/** A control with its label; one that differs from the preset is marked and can be reset. */
export function Field(props: {
  name: FieldName;
  /** Below the control: what the field means. */
  hint?: string;
  /** For several controls under one label. */
  group?: true;
  children: (tied: Tied) => ReactNode;
}): ReactElement {
  const { name, hint, group, children } = props;
  const t = useLabel();
  const { errors, changed, reset } = useForm();
  const id = useId();
  const error = errors[name];
  const isChanged = changed.has(name);
  return (
    <div
      className="field"
      data-field={name}
      data-changed={isChanged || undefined}
      role={group && 'group'}
      aria-labelledby={group && `${id}-label`}
    >
      <Group gap={4} wrap="nowrap" className="field-head">
        <Input.Label size="xs" id={`${id}-label`} {...(group ? { labelElement: 'div' as const } : { htmlFor: id })}>
          {t(labelOf(name))}
        </Input.Label>
        {isChanged && (
          <Tooltip label={t('new.reset')}>
            <ActionIcon
              size={16}
              variant="transparent"
              color="blue"
              aria-label={t('new.reset-field', { field: t(labelOf(name)) })}
              onClick={() => reset(name)}
            >
              <IconArrowBackUp size={14} />
            </ActionIcon>
          </Tooltip>
        )}
      </Group>
      {children({ id, error: error && t(error.key, error.params) })}
      {hint !== undefined && <Input.Description mt={2}>{hint}</Input.Description>}
    </div>
  );
}

export type AmountName = {
  [K in FieldName]: Draft[K] extends Amount ? (Amount extends Draft[K] ? K : never) : never;
}[FieldName];

/** A field of one number; `placeholder` is what stays in force while it is empty. */
export function AmountField(props: {
  name: AmountName;
  placeholder?: string;
  hint?: string;
  step?: number;
}): ReactElement {
  const { name, hint, placeholder, step = 1 } = props;
  const { draft, set } = useForm();
  return (
    <Field name={name} {...(hint !== undefined && { hint })}>
      {(tied) => (
        <NumberInput
          {...tied}
          value={draft[name]}
          onChange={(value) => set(name, value)}
          placeholder={placeholder}
          step={step}
          hideControls
        />
      )}
    </Field>
  );
}

export type SwitchName = { [K in FieldName]: Draft[K] extends boolean ? K : never }[FieldName];

/** A setting that is on or off; `text` is what on means. */
export function SwitchField({ name, text }: { name: SwitchName; text: string }): ReactElement {
  const { draft, set } = useForm();
  return (
    <Field name={name} group>
      {({ error }) => (
        <>
          <Checkbox
            size="xs"
            label={text}
            checked={draft[name]}
            onChange={(event) => set(name, event.currentTarget.checked)}
          />
          {error !== undefined && (
            <Input.Error mt={4} role="alert">
              {error}
            </Input.Error>
          )}
        </>
      )}
    </Field>
  );
}
